"""Key files: scrypt turns a password into a key that wraps the master key. Several passwords, one master key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from holdfast.core.entropy import Entropy
from holdfast.core.errors import RepositoryDamaged, WrongPassword
from holdfast.repository._format.seal import IV_SIZE, MasterKey, key_from_bytes, seal, unseal
from holdfast.repository._format.text import time_text

_MEMORY_LIMIT_BYTES = 1 << 30


@dataclass(frozen=True)
class Scrypt:
    """Cost of one guess: memory is 128 * n * r bytes. The default takes about 0.1 s and 32 MiB."""

    n: int = 32_768
    r: int = 8
    p: int = 1


class _KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    created: str = ""
    username: str = ""
    hostname: str = ""
    kdf: str
    n: int = msgspec.field(name="N")
    r: int
    p: int
    salt: bytes
    data: bytes


class _Mac(msgspec.Struct, frozen=True):
    k: bytes
    r: bytes


class _Wrapped(msgspec.Struct, frozen=True):
    mac: _Mac
    encrypt: bytes


@dataclass(frozen=True)
class KeyOrigin:
    """Who made a key file and when; shown by `restic key list`."""

    username: str
    hostname: str
    created_ns: int


def _derive(password: str, salt: bytes, cost: Scrypt) -> MasterKey:
    if not (cost.n > 1 and cost.r > 0 and cost.p > 0 and 128 * cost.n * cost.r * cost.p <= _MEMORY_LIMIT_BYTES and len(salt) <= 1024):
        raise RepositoryDamaged("a key file asks for a scrypt cost out of bounds", hint="remove that key with `restic key remove`")
    try:
        material = hashlib.scrypt(
            password.encode("utf-8", "surrogateescape"),
            salt=salt,
            n=cost.n,
            r=cost.r,
            p=cost.p,
            maxmem=2 * _MEMORY_LIMIT_BYTES - 1,
            dklen=64,
        )
    except (ValueError, MemoryError) as error:
        raise RepositoryDamaged(f"a key file has impossible scrypt parameters: {error}") from error
    return key_from_bytes(material)


def encode_key_file(master: MasterKey, password: str, origin: KeyOrigin, *, entropy: Entropy, cost: Scrypt) -> bytes:
    """The content of a file in keys/; its name is the SHA-256."""
    salt = entropy.token_bytes(64)
    wrapped = msgspec.json.encode(_Wrapped(_Mac(master.mac_k, master.mac_r), master.encrypt))
    sealed = seal(_derive(password, salt, cost), entropy.token_bytes(IV_SIZE), wrapped)
    return msgspec.json.encode(
        _KeyFile(
            created=time_text(origin.created_ns),
            username=origin.username,
            hostname=origin.hostname,
            kdf="scrypt",
            n=cost.n,
            r=cost.r,
            p=cost.p,
            salt=salt,
            data=sealed,
        )
    )


def open_key_file(content: bytes, password: str) -> MasterKey:
    """The master key; raises `WrongPassword`, or `RepositoryDamaged` when the file itself makes no sense."""
    try:
        file = msgspec.json.decode(content, type=_KeyFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RepositoryDamaged(f"a key file cannot be read: {error}") from error
    if file.kdf != "scrypt":
        raise RepositoryDamaged(f"a key file uses {file.kdf!r}, not scrypt")
    user_key = _derive(password, file.salt, Scrypt(file.n, file.r, file.p))
    try:
        plain = unseal(user_key, file.data)
    except RepositoryDamaged:
        raise WrongPassword("the password does not open the repository", hint="check the password file in HOME/keys") from None
    try:
        wrapped = msgspec.json.decode(plain, type=_Wrapped)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RepositoryDamaged(f"a wrapped key cannot be read: {error}") from error
    if (len(wrapped.encrypt), len(wrapped.mac.k), len(wrapped.mac.r)) != (32, 16, 16):
        raise RepositoryDamaged("a wrapped key has a wrong length")
    return MasterKey(wrapped.encrypt, wrapped.mac.k, wrapped.mac.r)
