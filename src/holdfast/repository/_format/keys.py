"""Key files: scrypt turns a password into a key that wraps the master key. Several passwords, one master key.

Sources: restic's design document ("Keys, Encryption and MAC") and its `internal/crypto/kdf.go`. A key file is read before anybody has
proven to know a password, so nothing in it is trusted: its length, its cost and its salt are bounded before scrypt is called.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec

from holdfast.core.entropy import Entropy
from holdfast.core.errors import RepositoryDamaged, WrongPassword
from holdfast.model.decoding import UNREADABLE
from holdfast.repository._format.seal import IV_SIZE, OVERHEAD, MasterKey, key_from_bytes, seal, unseal
from holdfast.repository._format.text import FIRST_NS, LAST_NS, time_ns, time_text

MAX_KEY_FILE_BYTES = 64 * 1024
"""A key file has some 500 bytes."""
# restic itself stays below 60 MiB and half a second when it makes a key; other programs of the format take up to 128 MiB.
_MEMORY_LIMIT_BYTES = 256 * 1024 * 1024
_WORK_LIMIT_BYTES = 1024 * 1024 * 1024
_SALT_BYTES = 64
_HINT = "a copy of the repository has the file whole; any other key still opens it, and `restic key remove` takes this one away"


@dataclass(frozen=True)
class Scrypt:
    """Cost of one guess: memory is 128 * n * r bytes. The default takes about 0.1 s and 32 MiB."""

    n: int = 32_768
    r: int = 8
    p: int = 1

    @property
    def work_bytes(self) -> int:
        """What is written in one guess; the time it takes follows from it."""
        return 128 * self.n * self.r * self.p


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
    """Who made a key file and when; shown by `restic key list`. `created_ns` None = it does not say."""

    username: str
    hostname: str
    created_ns: int | None


@dataclass(frozen=True)
class KeyFile:
    """A key file whose cost and lengths are within bounds. Anybody who can write to the store can write into `origin` what they like."""

    origin: KeyOrigin
    cost: Scrypt
    salt: bytes = field(repr=False)
    sealed: bytes = field(repr=False)

    def open(self, password: str) -> MasterKey:
        """The master key; raises `WrongPassword`, or `RepositoryDamaged` when what is wrapped makes no sense."""
        user_key = _derive(password, self.salt, self.cost)
        try:
            plain = unseal(user_key, self.sealed)
        except RepositoryDamaged:
            raise WrongPassword("the password does not open the repository", hint="check the password file in HOME/keys") from None
        try:
            wrapped = msgspec.json.decode(plain, type=_Wrapped)
        except UNREADABLE as error:
            raise RepositoryDamaged(f"a wrapped key cannot be read: {error}", hint=_HINT) from error
        if (len(wrapped.encrypt), len(wrapped.mac.k), len(wrapped.mac.r)) != (32, 16, 16):
            raise RepositoryDamaged("a wrapped key has a wrong length", hint=_HINT)
        return MasterKey(wrapped.encrypt, wrapped.mac.k, wrapped.mac.r)


def decode_key_file(content: bytes) -> KeyFile:
    """Raises `RepositoryDamaged` for what is no key file, or asks for more memory, time or salt than any key should."""
    if len(content) > MAX_KEY_FILE_BYTES:
        raise RepositoryDamaged(f"a key file has {len(content)} bytes, which none should have", hint=_HINT)
    try:
        file = msgspec.json.decode(content, type=_KeyFile)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a key file cannot be read: {error}", hint=_HINT) from error
    if file.kdf != "scrypt":
        raise RepositoryDamaged(f"a key file uses {file.kdf[:40]!r}, not scrypt", hint=_HINT)
    cost = Scrypt(file.n, file.r, file.p)
    _check_cost(cost)
    if len(file.salt) != _SALT_BYTES:
        raise RepositoryDamaged(f"a key file has {len(file.salt)} bytes of salt instead of {_SALT_BYTES}", hint=_HINT)
    if len(file.data) <= OVERHEAD:
        raise RepositoryDamaged("a key file wraps no key", hint=_HINT)
    return KeyFile(KeyOrigin(file.username, file.hostname, _moment(file.created)), cost, file.salt, file.data)


def encode_key_file(master: MasterKey, password: str, origin: KeyOrigin, *, entropy: Entropy, cost: Scrypt) -> bytes:
    """The content of a file in keys/; its name is the SHA-256."""
    salt = entropy.token_bytes(_SALT_BYTES)
    wrapped = msgspec.json.encode(_Wrapped(_Mac(master.mac_k, master.mac_r), master.encrypt))
    sealed = seal(_derive(password, salt, cost), entropy.token_bytes(IV_SIZE), wrapped)
    return msgspec.json.encode(
        _KeyFile(
            created=time_text(origin.created_ns or 0),
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


def _check_cost(cost: Scrypt) -> None:
    """As restic and RFC 7914 demand, and within what a machine bears when somebody plants a key file."""
    possible = cost.n > 1 and cost.n & (cost.n - 1) == 0 and cost.r > 0 and cost.p > 0
    # Each alone first, so that no product grows beyond all bounds.
    modest = max(cost.n, cost.r, cost.p) <= _WORK_LIMIT_BYTES
    if not possible or not modest or 128 * cost.n * cost.r > _MEMORY_LIMIT_BYTES or cost.work_bytes > _WORK_LIMIT_BYTES:
        raise RepositoryDamaged("a key file asks for a scrypt cost out of bounds", hint=_HINT)


def _derive(password: str, salt: bytes, cost: Scrypt) -> MasterKey:
    try:
        material = hashlib.scrypt(
            password.encode("utf-8", "surrogateescape"),
            salt=salt,
            n=cost.n,
            r=cost.r,
            p=cost.p,
            # OpenSSL counts a little more than the format does.
            maxmem=2 * _MEMORY_LIMIT_BYTES + 2 * 128 * cost.r * cost.p,
            dklen=64,
        )
    except (ValueError, MemoryError, OverflowError) as error:
        raise RepositoryDamaged(f"a key file has impossible scrypt parameters: {error}", hint=_HINT) from error
    return key_from_bytes(material)


def _moment(text: str) -> int | None:
    try:
        moment_ns = time_ns(text)
    except RepositoryDamaged:
        return None
    return moment_ns if FIRST_NS <= moment_ns <= LAST_NS else None
