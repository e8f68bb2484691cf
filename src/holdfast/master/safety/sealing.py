"""The key that seals exports, and the codes that open it.

The Master writes exports unattended, so it keeps the key: `export-key.json` in its home, as private as the authority beside it. On another
machine there is no such file; there a code of a kit unwraps the key from what each export holds of it. A code has 140 random bits
(`model.kit`), so one HKDF is enough between it and the key that wraps.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast.core.entropy import Entropy
from holdfast.core.errors import UsageError, WrongPassword
from holdfast.core.private_files import write_private
from holdfast.model.decoding import UNREADABLE_FILE
from holdfast.model.kit import new_code, read_code

_FILE = "export-key.json"
_KEY_BYTES = 32
_NONCE_BYTES = 12
MOST_KITS = 8


class Kit(msgspec.Struct, frozen=True, kw_only=True):
    """One code that opens the key: `wrapped` is the export key under it. `made_at` is UTC, ISO 8601."""

    id: str
    made_at: str
    salt: bytes
    wrapped: bytes


class ExportKey(msgspec.Struct, frozen=True, kw_only=True):
    """`key`: 32 random bytes. `kits`: newest last; without one nobody opens an export once this home is lost."""

    key: bytes
    kits: tuple[Kit, ...] = ()

    def __repr__(self) -> str:
        return f"ExportKey(kits={len(self.kits)})"

    def derived(self, purpose: str) -> bytes:
        """A key of its own for each purpose."""
        return _derive(self.key, b"", purpose)


def load_export_key(folder: Path, entropy: Entropy) -> ExportKey:
    """That of the Master whose home this is, made when there is none yet. Raises `UsageError` when the file is damaged."""
    path = folder / _FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=ExportKey)
    except FileNotFoundError:
        made = ExportKey(key=entropy.token_bytes(_KEY_BYTES))
        save_export_key(folder, made)
        return made
    except UNREADABLE_FILE as error:
        hint = "move it away: the next export has a new key, for which you need a new kit"
        raise UsageError(f"{path} cannot be read: {error}", hint=hint) from None


def save_export_key(folder: Path, key: ExportKey) -> None:
    write_private(folder / _FILE, msgspec.json.encode(key))


def with_new_kit(key: ExportKey, made_at: str, entropy: Entropy) -> tuple[ExportKey, str]:
    """The key with one kit more, and its code, which is stored nowhere. Of more than `MOST_KITS` the oldest go."""
    code, salt = new_code(entropy), entropy.token_bytes(16)
    identity = entropy.token_bytes(4).hex()
    nonce = entropy.token_bytes(_NONCE_BYTES)
    wrapped = nonce + AESGCM(_derive(code.encode(), salt, "kit")).encrypt(nonce, key.key, identity.encode())
    kit = Kit(id=identity, made_at=made_at, salt=salt, wrapped=wrapped)
    return msgspec.structs.replace(key, kits=(*key.kits, kit)[-MOST_KITS:]), code


def unwrap(kits: tuple[Kit, ...], typed: str) -> ExportKey:
    """The key that a code opens. Raises `UsageError` for a typo, `WrongPassword` when it is of none of the kits."""
    code = read_code(typed)
    for kit in kits:
        try:
            opened = AESGCM(_derive(code.encode(), kit.salt, "kit")).decrypt(
                kit.wrapped[:_NONCE_BYTES], kit.wrapped[_NONCE_BYTES:], kit.id.encode()
            )
        except (InvalidTag, ValueError):
            continue
        return ExportKey(key=opened, kits=kits)
    made = ", ".join(kit.made_at for kit in kits) or "none"
    raise WrongPassword("this code opens none of the kits of the export", hint=f"its kits were made at: {made}")


class Sealer:
    """Seals and opens pieces, each bound to the place it stands at, so that none can be moved elsewhere."""

    def __init__(self, key: ExportKey, entropy: Entropy | None = None) -> None:
        """`entropy` None: only to open."""
        self._cipher = AESGCM(key.derived("seal"))
        self._entropy = entropy

    def seal(self, piece: bytes, place: str) -> str:
        assert self._entropy is not None, "made to open only"
        nonce = self._entropy.token_bytes(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, piece, place.encode())).decode()

    def open(self, sealed: str, place: str) -> bytes:
        """Raises `ValueError` when it was not sealed by this key for this place."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode())
        except (InvalidTag, binascii.Error):
            raise ValueError("it was not sealed by this key for this place") from None


def _derive(secret: bytes, salt: bytes, purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt or None, b"holdfast-master-export-1 " + purpose.encode()).derive(secret)
