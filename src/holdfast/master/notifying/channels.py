"""The addresses of channels: sealed in the records, opened only to send.

They hold passwords and tokens. They are encrypted (AES-256-GCM) with a key made from the Master's signing key, which lies beside the
database and not in it: who has the records alone has none of them. No answer, log line or argument in the audit log holds one.
"""

from __future__ import annotations

import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.core.entropy import Entropy
from holdfast.core.errors import Refused, UsageError
from holdfast.wire.authority import Authority

_PURPOSE = b"holdfast notification channels 1"
_NONCE_BYTES = 12
_SERVICE = re.compile(r"([a-z0-9][a-z0-9+.-]{0,40})://(?:\S|$)", re.IGNORECASE)


def service_of(url: str) -> str:
    """What stands before `://`: all of an address that may be shown. Raises `UsageError`."""
    found = _SERVICE.match(url)
    if found is None:
        raise UsageError(
            "this is no address of a service",
            hint="such as mailto://USER:PASSWORD@HOST?to=WHOM or json://HOST/PATH; see docs/notifications.md",
        )
    return found.group(1).lower()


def seal(authority: Authority, entropy: Entropy, name: str, url: str) -> bytes:
    nonce = entropy.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(authority.secret_key(_PURPOSE)).encrypt(nonce, url.encode(), name.encode())


def unseal(authority: Authority, name: str, sealed: bytes) -> str:
    """Raises `Refused` when it was sealed by another authority, or for another name."""
    try:
        return AESGCM(authority.secret_key(_PURPOSE)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode()).decode()
    except (InvalidTag, ValueError):
        raise Refused(
            f"the address of channel {name!r} cannot be opened with this Master's keys",
            hint=f"give it again: `holdfast notify channel set {name}`",
        ) from None
