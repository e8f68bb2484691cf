"""How a Master is set up on its machine: kept in its home as `config.json` by `init_master`, read again at every start."""

from __future__ import annotations

from pathlib import Path

import msgspec

from holdfast.core.errors import UsageError
from holdfast.core.private_files import write_private
from holdfast.master.directory_settings import Directory, check_directories
from holdfast.master.records.database import sqlite_url
from holdfast.model.decoding import UNREADABLE

API_PORT = 7440
HUB_PORT = 7441
_FILE = "config.json"


class MasterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`home` is the Master's own folder, HOME/master. A port of 0 takes any free one.

    `database_url` empty = SQLite in the home. `names` are further host names and addresses that go into the Master's certificate.
    `directories`: by which people sign in beside the local accounts.
    """

    home: Path
    api_host: str = "0.0.0.0"
    api_port: int = API_PORT
    hub_host: str = "0.0.0.0"
    hub_port: int = HUB_PORT
    database_url: str = ""
    names: tuple[str, ...] = ()
    directories: tuple[Directory, ...] = ()

    @property
    def authority_folder(self) -> Path:
        return self.home / "authority"

    @property
    def url(self) -> str:
        return self.database_url or sqlite_url(self.home / "records.db")


def save_config(config: MasterConfig) -> None:
    encoded = msgspec.json.encode(config, enc_hook=str)
    write_private(config.home / _FILE, msgspec.json.format(encoded) + b"\n")


def load_config(home: Path) -> MasterConfig:
    """Raises `UsageError` when no Master was made in `home`, or its configuration is damaged or makes no sense."""
    try:
        kept = msgspec.json.decode((home / _FILE).read_bytes(), type=dict[str, object])
        config = msgspec.convert({**kept, "home": str(home)}, MasterConfig, dec_hook=_path)
    except FileNotFoundError:
        raise UsageError(f"there is no Master in {home}", hint="make one with `holdfast master init`, or use `holdfast up`") from None
    except UNREADABLE as error:
        raise UsageError(f"{home / _FILE} is damaged: {error}", hint="mend it by hand; the environment itself is in the records") from None
    check_directories(config.directories)
    return config


def _path(kind: type, value: object) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"{kind} cannot be read from JSON")
