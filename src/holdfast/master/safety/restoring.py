"""A Master made from an export: the same authority, environment and records in a new home.

The order is what makes it restartable: a note says that a restore is under way, the configuration comes last, and there is a Master in a
home only when that is there. Who is cut off in between runs it again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import Conflict, ExportDamaged, NotAuthenticated, UsageError
from holdfast.core.private_files import make_private_folder, write_private
from holdfast.core.single_instance import only_one
from holdfast.core.units import format_utc
from holdfast.master.config import MasterConfig, save_config
from holdfast.master.people.access import ADMIN, new_token
from holdfast.master.records import access, audit, restorations
from holdfast.master.records.database import Database
from holdfast.master.records.restorations import Restoration
from holdfast.master.safety.export_format import ExportReader, Head
from holdfast.master.safety.exporting import NAME, check_export
from holdfast.master.safety.importing import check_schema, fill_records
from holdfast.master.safety.sealing import ExportKey, save_export_key, unwrap
from holdfast.model.audit import AuditRecord, Phase
from holdfast.model.decoding import UNREADABLE_FILE
from holdfast.wire.authority import Authority

_NOTE = "restoring.json"
ACTIVITY = "restore_master"


class _Note(msgspec.Struct, frozen=True):
    """`database` is the URL of the records that are being filled."""

    database: str


@dataclass(frozen=True, kw_only=True)
class RestoreWish:
    """`source`: an export, or a folder that holds one. `code`: of one of its kits. `home`: of the Master to be, HOME/master. Ports and
    names None = as they were; `database_url` empty = SQLite in the home."""

    source: Path
    code: str = field(repr=False)
    home: Path
    api_host: str = "0.0.0.0"
    api_port: int | None = None
    hub_port: int | None = None
    names: tuple[str, ...] | None = None
    database_url: str = ""


@dataclass(frozen=True, kw_only=True)
class RestoreDone:
    """`api_token` does not expire and is shown once; empty when the export has no account `admin`."""

    config: MasterConfig
    environment: str
    restoration: Restoration
    ca_pem: str
    api_token: str = field(repr=False)


def find_export(source: Path) -> Path:
    """The export that is meant: the file itself, or the only one in a folder or below it. Raises `UsageError`."""
    if source.is_file():
        return source
    found = sorted(path for path in source.rglob(NAME) if path.is_file())
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"there is no export of a Master in {source}", hint=f"name the file {NAME}, or the folder it lies in")
    raise UsageError(f"there are {len(found)} exports in {source}", hint=f"name one of them: {', '.join(map(str, found[:4]))}")


def restore_master(wish: RestoreWish, *, clock: Clock, entropy: Entropy) -> RestoreDone:
    """Raises `UsageError`, `WrongPassword`, `ExportDamaged`, `Refused` for an export of a newer version, `Conflict` when a Master is there.

    The whole export is checked before anything is written. What was cut off is begun anew by the next call.
    """
    path = find_export(wish.source)
    try:
        head, key = _checked(path, wish.code)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="name a readable file") from None
    make_private_folder(wish.home)
    with only_one(wish.home / "lock", f"a Master runs in {wish.home}", hint="stop it first, or use another home"):
        config = _config(wish, head)
        if (wish.home / "config.json").exists():
            raise Conflict(f"there is a Master in {wish.home} already", hint="restore into another home, or move that one away")
        again = _note_begun(wish.home, config.url)
        return _restore(path, key, config, again, clock, entropy)


def _checked(path: Path, code: str) -> tuple[Head, ExportKey]:
    with path.open("rb") as file:
        head = ExportReader(file).head
    check_schema(head)
    key = unwrap(head.kits, code)
    return check_export(path, key), key


def _config(wish: RestoreWish, head: Head) -> MasterConfig:
    return MasterConfig(
        home=wish.home,
        api_host=wish.api_host,
        api_port=head.api_port if wish.api_port is None else wish.api_port,
        hub_host=wish.api_host,
        hub_port=head.hub_port if wish.hub_port is None else wish.hub_port,
        names=head.names if wish.names is None else wish.names,
        database_url=wish.database_url,
    )


def _note_begun(home: Path, database: str) -> bool:
    """Whether an earlier attempt had begun to fill these records."""
    path = home / _NOTE
    try:
        before = msgspec.json.decode(path.read_bytes(), type=_Note)
    except UNREADABLE_FILE:
        before = None
    write_private(path, msgspec.json.encode(_Note(database)))
    return before == _Note(database)


def _restore(path: Path, key: ExportKey, config: MasterConfig, again: bool, clock: Clock, entropy: Entropy) -> RestoreDone:
    database = Database(config.url)
    try:
        with path.open("rb") as file:
            reader = ExportReader(file)
            files = fill_records(reader, key, database, again=again)
        head = reader.head
        authority = _authority(files, config.authority_folder)
        save_export_key(config.home, key)
        begun = _restoration(head, now(clock))
        token = database.run_now(lambda session: _begin(session, begun, entropy))
        save_config(config)
    finally:
        database.close()
    (config.home / _NOTE).unlink(missing_ok=True)
    return RestoreDone(config=config, environment=head.name, restoration=begun, ca_pem=authority.ca_pem.decode(), api_token=token)


def _restoration(head: Head, at: datetime) -> Restoration:
    """The epoch is the moment, in milliseconds: two Masters restored from one export are told apart, too."""
    epoch = max(head.epoch + 1, int(at.timestamp() * 1_000))
    return Restoration(epoch=epoch, at=at, export_at=head.made_at, audit_number=head.audit_number)


def _authority(files: dict[str, bytes], folder: Path) -> Authority:
    make_private_folder(folder)
    for name, content in files.items():
        if os.path.basename(name) != name:
            raise ExportDamaged(f"{name!r} is no name of a file of an authority", hint="take another export")
        write_private(folder / name, content)
    try:
        return Authority.load(folder)
    except NotAuthenticated as error:
        raise ExportDamaged(f"the export holds no whole authority: {error.message}", hint="take another export") from None


def _begin(session: Session, begun: Restoration, entropy: Entropy) -> str:
    """From here on it is a Master of its own: with an epoch, a line in the audit log, and a token for who restored it."""
    restorations.add(session, begun)
    told = {"epoch": begun.epoch, "export_at": format_utc(begun.export_at), "audit_number": begun.audit_number}
    record = AuditRecord(
        number=1,
        at=begun.at,
        phase=Phase.ENDED,
        activity=ACTIVITY,
        target="holdfast master restore",
        arguments=msgspec.json.encode(told).decode(),
    )
    audit.append(session, record)
    if access.password_hash(session, ADMIN) is None:
        return ""
    token, secret = new_token(entropy, ADMIN, "restore", begun.at, None)
    access.add_api_token(session, token)
    return secret
