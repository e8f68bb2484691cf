"""The file `config`: format version, id, chunker polynomial; sealed JSON, never compressed."""

from __future__ import annotations

import re

import msgspec

from holdfast.core.entropy import Entropy
from holdfast.core.errors import RepositoryDamaged, RepositoryOutdated
from holdfast.model.decoding import UNREADABLE
from holdfast.repository._format.polynomial import random_irreducible
from holdfast.repository._format.seal import IV_SIZE, MasterKey, seal, unseal

_HEX_ID = re.compile(r"[0-9a-f]{64}")
VERSION = 2


class Config(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    id: str
    chunker_polynomial: str


def new_config(entropy: Entropy) -> Config:
    return Config(version=VERSION, id=entropy.token_bytes(32).hex(), chunker_polynomial=f"{random_irreducible(entropy):x}")


def encode_config(config: Config, key: MasterKey, entropy: Entropy) -> bytes:
    return seal(key, entropy.token_bytes(IV_SIZE), msgspec.json.encode(config))


def decode_config(content: bytes, key: MasterKey) -> Config:
    """Raises `RepositoryDamaged`, and `RepositoryOutdated` for a version that is not 2."""
    try:
        config = msgspec.json.decode(unseal(key, content), type=Config)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"the repository's config cannot be read: {error}") from error
    if _HEX_ID.fullmatch(config.id) is None:
        raise RepositoryDamaged("the repository's config has no proper id")
    if config.version != VERSION:
        raise RepositoryOutdated(
            f"the repository has format version {config.version}, not {VERSION}",
            hint="`restic migrate upgrade_repo_v2` upgrades it in place" if config.version < VERSION else "a newer Holdfast may know it",
        )
    return config
