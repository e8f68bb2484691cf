"""The key slots of a repository: each file in `keys/` is one, and one password opens it. All wrap the same master key.

Works on the place and a password alone, so that keys can be looked after also when the repository cannot be opened otherwise.
"""

from __future__ import annotations

import pwd
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from os import getuid

from holdfast.backend.backend import Backend, FileType
from holdfast.core.clock import Clock, utc
from holdfast.core.entropy import Entropy
from holdfast.core.errors import Conflict, RepositoryDamaged, RepositoryMissing, UnknownName, WrongPassword
from holdfast.model.keys import KIT_USER, KeySlot
from holdfast.repository._format.config import Config, decode_config
from holdfast.repository._format.keys import MAX_KEY_FILE_BYTES, KeyFile, KeyOrigin, Scrypt, decode_key_file, encode_key_file
from holdfast.repository._format.seal import MasterKey

MOST_SLOTS = 20
"""restic tries about this many keys when it opens a repository: with more, some passwords would not open it."""
_MOST_LOOKED_AT = 200
_MOST_WORK_BYTES = 8 * 1024 * 1024 * 1024
"""Per password, over all slots: half a minute of one core. Twenty of the dearest that restic makes stay below."""
_SHORTEST_PREFIX = 4


@dataclass(frozen=True)
class NewSlot:
    """A slot that is not in the store yet. Its id is known, so that a plan can name it first."""

    id: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Opened:
    """What a password opened: the slot's id, and the keys to everything."""

    slot: str
    master: MasterKey
    config: Config


def this_user() -> str:
    """The account that this process runs as, as key files and locks name it."""
    try:
        return pwd.getpwuid(getuid()).pw_name
    except KeyError:
        return str(getuid())


def read_slots(backend: Backend) -> tuple[KeySlot, ...]:
    """All of them, oldest first; one that cannot be read says so in `error`. Raises `RepositoryMissing` when there is none."""
    slots = [_slot(name, file) for name, file in _files(backend)]
    return tuple(sorted(slots, key=lambda slot: (slot.created_at is not None, slot.created_at, slot.id)))


def open_slot(backend: Backend, passwords: Iterable[str]) -> Opened:
    """Try the passwords on the slots; the config proves the key.

    The cheapest slots come first: one that somebody planted, to make opening slow, is tried after those that anybody made in earnest.
    Raises `RepositoryMissing`, `WrongPassword`, `RepositoryDamaged`.
    """
    wanted = tuple(dict.fromkeys(passwords))
    damaged: RepositoryDamaged | None = None
    usable: list[tuple[int, str, KeyFile]] = []
    for name, file in _files(backend):
        if isinstance(file, RepositoryDamaged):
            damaged = file
        else:
            usable.append((file.cost.work_bytes, name, file))
    left_bytes = _MOST_WORK_BYTES
    for work_bytes, name, file in sorted(usable, key=lambda each: each[:2]):
        left_bytes -= work_bytes
        if left_bytes < 0:
            damaged = RepositoryDamaged(
                f"the keys of {backend.location} ask for more work than any should", hint="remove those nobody knows"
            )
            break
        for password in wanted:
            try:
                master = file.open(password)
            except WrongPassword:
                continue
            except RepositoryDamaged as error:
                damaged = error
                continue
            return Opened(name, master, decode_config(backend.load(FileType.CONFIG, ""), master))
    raise damaged or WrongPassword(
        f"the password does not open {backend.location}", hint="check the password file in HOME/keys, or `holdfast repository key restore`"
    )


def new_slot(master: MasterKey, password: str, username: str, *, clock: Clock, entropy: Entropy, cost: Scrypt | None = None) -> NewSlot:
    """A slot of this machine for `password`; `cost` is for tests."""
    origin = KeyOrigin(username, socket.gethostname(), clock.now_ns())
    content = encode_key_file(master, password, origin, entropy=entropy, cost=cost or Scrypt())
    return NewSlot(sha256(content).hexdigest(), content)


def save_slot(backend: Backend, slot: NewSlot) -> None:
    """Durable when it returns. Raises `Conflict` when there are as many as restic tries."""
    if len(list(backend.names(FileType.KEY))) >= MOST_SLOTS:
        raise Conflict(
            f"{backend.location} has {MOST_SLOTS} keys, and restic tries no more",
            hint="`holdfast repository key ls NAME` shows them; remove one that nobody needs",
        )
    backend.save(FileType.KEY, slot.id, slot.content)


def remove_slot(backend: Backend, id_: str, *, own: str) -> None:
    """Take a slot away for good; absent is fine. Raises `Conflict` for the owner's `own`, and when that one is not in the store: then
    what is to be removed may be the last that opens it."""
    if id_ == own:
        raise Conflict(
            "this key is the one the owner itself opens the repository with", hint="`holdfast repository key rotate NAME` changes it"
        )
    if own not in set(backend.names(FileType.KEY)):
        raise Conflict(
            "the owner's own key is not in the repository any more, so no other is removed",
            hint="look with `holdfast repository key ls NAME`",
        )
    backend.remove(FileType.KEY, id_)


def choose_slot(slots: Iterable[KeySlot], prefix: str) -> KeySlot:
    """By the beginning of its id, at least 4 digits. Raises `UnknownName` when there is none or several."""
    known = tuple(slots)
    found = [slot for slot in known if len(prefix) >= _SHORTEST_PREFIX and slot.id.startswith(prefix.lower())]
    if len(found) == 1:
        return found[0]
    names = ", ".join(slot.id[:8] for slot in known)
    what = f"{len(found)} keys begin with {prefix!r}" if found else f"no key begins with {prefix!r}"
    raise UnknownName(what, hint=f"give more of its id; there are: {names}")


def _files(backend: Backend) -> Iterator[tuple[str, KeyFile | RepositoryDamaged]]:
    names = sorted(backend.names(FileType.KEY))
    if not names:
        raise RepositoryMissing(f"there is no repository at {backend.location}", hint="check the location, and that its disk is mounted")
    for name in names[:_MOST_LOOKED_AT]:
        try:
            yield name, _load(backend, name)
        except RepositoryDamaged as error:
            yield name, error
        except RepositoryMissing:
            # Removed since it was listed.
            continue


def _load(backend: Backend, name: str) -> KeyFile:
    size = backend.size(FileType.KEY, name)
    if size > MAX_KEY_FILE_BYTES:
        raise RepositoryDamaged(f"key file {name[:8]} has {size} bytes, which none should have", hint="remove it if it is not yours")
    return decode_key_file(backend.load(FileType.KEY, name))


def _slot(name: str, file: KeyFile | RepositoryDamaged) -> KeySlot:
    if isinstance(file, RepositoryDamaged):
        return KeySlot(id=name, error=file.message)
    origin = file.origin
    moment = None if origin.created_ns is None else utc(origin.created_ns)
    return KeySlot(id=name, username=origin.username, hostname=origin.hostname, created_at=moment, is_kit=origin.username == KIT_USER)
