"""A new repository, and the key of one that is there."""

from __future__ import annotations

from holdfast.backend.backend import Backend, FileType
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.repository._format.config import Config, encode_config, new_config
from holdfast.repository._format.keys import Scrypt
from holdfast.repository._format.seal import MasterKey, new_master_key
from holdfast.repository.key_slots import new_slot, open_slot, save_slot, this_user


def create_repository(backend: Backend, password: str, *, clock: Clock, entropy: Entropy, cost: Scrypt | None = None) -> None:
    """A new, empty repository. Raises `Conflict` when something is at the place already. `cost` is for tests."""
    backend.create()
    key = new_master_key(entropy)
    save_slot(backend, new_slot(key, password, this_user(), clock=clock, entropy=entropy, cost=cost))
    backend.save(FileType.CONFIG, "", encode_config(new_config(entropy), key, entropy))


def unlock(backend: Backend, password: str) -> tuple[MasterKey, Config]:
    """Try the password on the key files; the config proves the key."""
    opened = open_slot(backend, [password])
    return opened.master, opened.config
