"""Cursors of searches that tell who bears them nothing: sealed with a key that lives as long as this Master does."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.core.entropy import Entropy
from holdfast.core.errors import UsageError

_NONCE_BYTES = 12


class SealedCursors:
    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._key = AESGCM(entropy.token_bytes(32))

    def sealed(self, cursor: str) -> str:
        """Empty stays empty: that is the end."""
        if not cursor:
            return ""
        nonce = self._entropy.token_bytes(_NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._key.encrypt(nonce, cursor.encode(), None)).decode().rstrip("=")

    def opened(self, cursor: str) -> str:
        """Raises `UsageError` for what this Master has not sealed."""
        if not cursor:
            return ""
        try:
            packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            return self._key.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], None).decode()
        except (InvalidTag, binascii.Error, ValueError):
            hint = "begin the search again; a Master that started anew knows no cursors of before"
            raise UsageError("the cursor is not one that a search gave", hint=hint, place="cursor") from None
