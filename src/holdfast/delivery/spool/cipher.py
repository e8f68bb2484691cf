"""How files of a spool are sealed: AES-256-GCM, each file under a key of its own.

The key of a file is HKDF-SHA256 of the node's spool key, with the file's 16 random bytes as salt and the delivery's id as info; so the
number of a frame in its file is a nonce that never comes again. A frame that was exchanged, or brought from elsewhere, does not open.
"""

from __future__ import annotations

import struct
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast.core.entropy import Entropy
from holdfast.core.errors import StoreError
from holdfast.core.private_files import make_private_folder, write_private

KEY_FILE = ".spool"
"""In `HOME/keys`. No repository's name begins with a dot."""

HINT = "the receiver is caught up from the state"
SALT_BYTES = 16
_KEY_BYTES = 32
_NONCE = struct.Struct("<Q4x")


def load_key(keys: Path, entropy: Entropy) -> bytes:
    """The node's spool key, made at first use. A file that is no key is replaced: what was sealed by another one counts as lost, and
    receivers are caught up from the state. Raises `OSError` where it cannot be kept, `SpoolUnread` where it is there and cannot be read."""
    path = keys / KEY_FILE
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
        if len(key) == _KEY_BYTES:
            return key
    except (FileNotFoundError, NotADirectoryError, ValueError):
        pass
    except OSError as error:
        raise SpoolUnread(f"the key of the spools cannot be read: {error}", is_of_disk=False) from error
    key = entropy.token_bytes(_KEY_BYTES)
    make_private_folder(keys)
    write_private(path, key.hex().encode() + b"\n")
    return key


class SpoolLost(StoreError):
    """Something of a spool cannot be read any more."""


class SpoolUnread(StoreError):
    """Something of a spool cannot be read now, and may be another time. `is_of_disk`: the disk says so; else this process, or this machine,
    has no room for it, which says nothing of the file."""

    retryable = True

    def __init__(self, message: str, *, is_of_disk: bool) -> None:
        super().__init__(message, hint="it is tried again; see the disk where HOME lies")
        self.is_of_disk = is_of_disk


class Cipher:
    """Seals frames of one file."""

    def __init__(self, key: bytes, salt: bytes, delivery: str) -> None:
        own = HKDF(SHA256(), _KEY_BYTES, salt, b"holdfast spool 1\0" + delivery.encode("utf-8", "surrogateescape")).derive(key)
        self._aead = AESGCM(own)

    def seal(self, number: int, plain: bytes) -> bytes:
        return self._aead.encrypt(_NONCE.pack(number), plain, None)

    def open(self, number: int, sealed: bytes) -> bytes:
        """Raises `SpoolLost` where it is not what was sealed as this frame."""
        try:
            return self._aead.decrypt(_NONCE.pack(number), sealed, None)
        except (InvalidTag, ValueError):
            raise SpoolLost("a file of the spool is damaged", hint=HINT) from None
