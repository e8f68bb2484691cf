"""How a Master is set up on its machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from holdfast.master.records.database import sqlite_url

API_PORT = 7440
HUB_PORT = 7441


@dataclass(frozen=True)
class MasterConfig:
    """`home` is HOME; the Master's own things are in `HOME/master`. A port of 0 takes any free one.

    `database_url` empty = SQLite in the home. `hosts` are further names and addresses that go into the Master's certificates.
    """

    home: Path
    api_host: str = "0.0.0.0"
    api_port: int = API_PORT
    hub_host: str = "0.0.0.0"
    hub_port: int = HUB_PORT
    database_url: str = ""
    hosts: tuple[str, ...] = field(default=())

    @property
    def folder(self) -> Path:
        return self.home / "master"

    @property
    def authority_folder(self) -> Path:
        return self.folder / "authority"

    @property
    def url(self) -> str:
        return self.database_url or sqlite_url(self.folder / "records.db")
