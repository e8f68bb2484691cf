"""The export: what it holds, that it opens by a kit alone, on either database, and that whatever is wrong is said with its place."""

from __future__ import annotations

import contextlib
import os
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import Conflict, ExportDamaged, HoldfastError, Refused, UsageError, WrongPassword
from holdfast.core.ids import JobId, NodeId
from holdfast.master.config import MasterConfig, load_config
from holdfast.master.initialising import InitResult, init_master
from holdfast.master.records import happenings, restorations
from holdfast.master.records.database import Database
from holdfast.master.records.tables import Table
from holdfast.master.safety.export_format import OPEN
from holdfast.master.safety.exporting import ExportDone, write_export
from holdfast.master.safety.restoring import RestoreDone, RestoreWish, restore_master
from holdfast.master.safety.sealing import load_export_key, save_export_key, with_new_kit
from holdfast.master.server import open_foundation
from holdfast.model.jobs import Event, Job, Severity, State
from holdfast.testing.faulty_disk import FaultyDisk, PowerCut, cut_at, once
from holdfast.testing.postgresql import PostgreSql
from holdfast.wire.authority import Authority

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
CLOCK, ENTROPY = SystemClock(), SystemEntropy()
NEW_BY_RESTORE = ("restorations", "audit", "api_tokens")


class Made:
    """A Master with some history, and the code of a kit."""

    def __init__(self, home: Path, url: str = "", jobs: int = 450) -> None:
        self.config = MasterConfig(home=home, database_url=url, names=("master.test",))
        self.init: InitResult = init_master(self.config, "office", clock=CLOCK, entropy=ENTROPY)
        key, self.code = with_new_kit(load_export_key(home, ENTROPY), "2026-01-01T00:00:00Z", ENTROPY)
        save_export_key(home, key)
        database = Database(self.config.url)
        database.run_now(lambda s: happenings.record_jobs(s, NodeId("a" * 32), [_job(n) for n in range(jobs)]))
        database.run_now(lambda s: happenings.record_events(s, NodeId("a" * 32), [_event(n) for n in range(5)]))
        database.close()

    def export(self) -> ExportDone:
        return write_export(self.config, clock=CLOCK, entropy=ENTROPY)

    def restore(self, home: Path, url: str = "", source: Path | None = None, code: str = "") -> RestoreDone:
        wish = RestoreWish(source=source or self.config.home / "export", code=code or self.code, home=home, database_url=url)
        return restore_master(wish, clock=CLOCK, entropy=ENTROPY)


def _job(number: int) -> Job:
    at = MOMENT + timedelta(seconds=number)
    return Job(
        id=JobId(f"{number:032x}"), node=NodeId("a" * 32), kind="run", rule="a/x", state=State.SUCCEEDED, created_at=at, cause="test"
    )


def _event(number: int) -> Event:
    return Event(code="node-away", severity=Severity.INFO, message=f'the "sha256" {number}', node=NodeId("a" * 32), time=MOMENT)


def rows_of(config: MasterConfig, but: tuple[str, ...] = ()) -> dict[str, list[tuple[object, ...]]]:
    database = Database(config.url)
    try:
        tables = [table for table in Table.metadata.sorted_tables if table.name not in but]
        query = {table.name: select(table).order_by(*table.primary_key.columns) for table in tables}
        return {name: database.run_now(lambda s, q=q: [tuple(row) for row in s.execute(q)]) for name, q in query.items()}  # type: ignore[misc]
    finally:
        database.close()


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "old" / "master")


def test_all_rows_and_the_authority_come_back(made: Made, tmp_path: Path) -> None:
    done = made.export()
    restored = made.restore(tmp_path / "new" / "master")
    assert rows_of(restored.config, NEW_BY_RESTORE) == rows_of(made.config, NEW_BY_RESTORE)
    assert Authority.load(restored.config.authority_folder) == Authority.load(made.config.authority_folder)
    assert load_config(tmp_path / "new" / "master").names == ("master.test",)
    assert done.rows > 450
    assert done.proven_at >= done.made_at
    (begun,) = rows_of(restored.config)["restorations"]
    assert begun[0] == restored.restoration.epoch
    # The next export is of the new Master, opens by the same kit, and gives an epoch that is higher still.
    write_export(restored.config, clock=CLOCK, entropy=ENTROPY)
    third = made.restore(tmp_path / "third" / "master", source=restored.config.home / "export")
    assert third.restoration.epoch > restored.restoration.epoch


def test_two_may_export_at_once_and_what_a_crash_left_goes(made: Made, tmp_path: Path) -> None:
    folder = made.export().path.parent
    left = folder / ".master.export.0011223344556677.new"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    with ThreadPoolExecutor(2) as beside:
        done = list(beside.map(lambda _: made.export(), range(2)))
    assert {each.path for each in done} == {folder / "master.export"}
    assert [entry.name for entry in folder.iterdir()] == ["master.export"]
    made.restore(tmp_path / "new" / "master")


def test_nothing_secret_lies_open(made: Made) -> None:
    raw = made.export().path.read_bytes()
    authority = Authority.load(made.config.authority_folder)
    key = load_export_key(made.config.home, ENTROPY)
    (user,) = rows_of(made.config)["users"]
    for secret in (authority.ca_key_pem, authority.signing_key_pem, key.key, str(user[1]).encode(), made.code.encode()):
        for written in (secret, msgspec.json.encode(secret)[1:-1]):
            assert written not in raw
    assert b'"t":"jobs","r":' in raw
    assert made.config.home.joinpath("export", "master.export").stat().st_mode & 0o077 == 0
    assert {table.name for table in Table.metadata.sorted_tables} >= OPEN


def test_open_pages_are_the_same_bytes_each_time(made: Made) -> None:
    """So that a repository stores only what is new."""
    first, second = (set(made.export().path.read_bytes().splitlines()) for _ in range(2))
    jobs = {line for line in first if line.startswith(b'{"t":"jobs"')}
    assert len(jobs) == 4
    assert jobs <= second


def test_a_wrong_code_a_typo_and_no_export(made: Made, tmp_path: Path) -> None:
    made.export()
    _, other = with_new_kit(load_export_key(made.config.home, ENTROPY), "2026-01-01T00:00:00Z", ENTROPY)
    with pytest.raises(WrongPassword, match="none of the kits"):
        made.restore(tmp_path / "new", code=other)
    with pytest.raises(UsageError, match="group 1"):
        made.restore(tmp_path / "new", code="AAAAA" + made.code[5:])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no export"):
        made.restore(tmp_path / "new", source=tmp_path / "empty")
    assert not (tmp_path / "new").exists()


def test_every_flipped_bit_and_every_cut_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    made = Made(tmp_path / "old", jobs=3)
    raw = made.export().path.read_bytes()
    dice = random.Random(8)
    places = [*(dice.randrange(len(raw)) for _ in range(120)), len(raw) - 3]
    for place in places:
        broken = bytearray(raw)
        broken[place] ^= 1 << dice.randrange(8)
        (tmp_path / "bad.export").write_bytes(broken)
        with pytest.raises(HoldfastError) as told:
            made.restore(tmp_path / "new", source=tmp_path / "bad.export")
        assert isinstance(told.value, ExportDamaged | UsageError | WrongPassword | Refused), told.value
        if place > raw.index(b"\n"):
            assert isinstance(told.value, ExportDamaged)
            assert told.value.context["line"]
    for place in [dice.randrange(len(raw)) for _ in range(30)]:
        (tmp_path / "bad.export").write_bytes(raw[:place])
        with pytest.raises(HoldfastError):
            made.restore(tmp_path / "new", source=tmp_path / "bad.export")
    (tmp_path / "bad.export").write_bytes(raw + b"{}\n")
    with pytest.raises(ExportDamaged, match="behind the end"):
        made.restore(tmp_path / "new", source=tmp_path / "bad.export")
    assert not (tmp_path / "new").exists()


def test_an_open_page_in_the_place_of_a_sealed_one_is_refused(made: Made, tmp_path: Path) -> None:
    """Who has the repository and no kit cannot write himself an account."""
    lines = made.export().path.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if line.startswith(b'{"t":"users"'))
    lines[at] = b'{"t":"users","r":[["rogue","hash"]]}\n'
    (tmp_path / "forged.export").write_bytes(b"".join(lines))
    with pytest.raises(ExportDamaged, match="table users: the page is not sealed"):
        made.restore(tmp_path / "new", source=tmp_path / "forged.export")


@pytest.mark.parametrize(("key", "value", "says"), [("format", 2, "has format 2"), ("schema", "9999", "newer than this one knows")])
def test_an_export_of_a_newer_version_is_refused(made: Made, tmp_path: Path, key: str, value: object, says: str) -> None:
    head, rest = made.export().path.read_bytes().split(b"\n", 1)
    newer = {**msgspec.json.decode(head), key: value, "something": "new"}
    (tmp_path / "newer.export").write_bytes(msgspec.json.encode(newer) + b"\n" + rest)
    with pytest.raises(Refused, match=says):
        made.restore(tmp_path / "new", source=tmp_path / "newer.export")


def test_a_master_that_is_there_is_left_alone(made: Made, tmp_path: Path) -> None:
    made.export()
    with pytest.raises(Conflict, match="a Master in"):
        made.restore(made.config.home)
    with pytest.raises(Conflict, match="records of a Master"):
        made.restore(tmp_path / "new", url=made.config.url)


def test_an_export_that_is_broken_off_leaves_the_one_before(tmp_path: Path) -> None:
    made = Made(tmp_path / "old", jobs=250)
    before = made.export().path.read_bytes()
    folder = made.config.home / "export"
    with FaultyDisk(folder) as disk:
        made.export()
    steps = len(disk.steps)
    assert steps >= 4
    for number in range(1, steps + 1):
        good = (folder / "master.export").read_bytes()
        for plan in (once(number, 5), cut_at(number)):
            with FaultyDisk(folder, plan) as disk, contextlib.suppress(HoldfastError, PowerCut):
                made.export()
            assert disk.fired
            now = (folder / "master.export").read_bytes()
            assert now == good or number >= steps - 1, f"step {number}"
            made.restore(tmp_path / f"new-{number}-{plan.__qualname__.split('.')[0]}")
    assert before


def test_a_restore_that_is_broken_off_begins_anew(tmp_path: Path) -> None:
    made = Made(tmp_path / "old", jobs=3)
    made.export()
    (tmp_path / "trial").mkdir()
    with FaultyDisk(tmp_path / "trial") as disk:
        made.restore(tmp_path / "trial" / "master")
    expected = rows_of(made.config, NEW_BY_RESTORE)
    numbers = range(1, len(disk.steps) + 1)
    for number in [*numbers[:3], *random.Random(3).sample(numbers, 14), *numbers[-6:]]:
        place = tmp_path / f"try{number}"
        place.mkdir(exist_ok=True)
        # SQLite does not pass a power cut on as what it is.
        cut = contextlib.suppress(PowerCut, HoldfastError, OperationalError)
        with FaultyDisk(place, cut_at(number)) as faulty, cut:
            made.restore(place / "master")
        assert faulty.fired
        if not (place / "master" / "config.json").exists():
            made.restore(place / "master")
        assert rows_of(load_config(place / "master"), NEW_BY_RESTORE) == expected


@pytest.mark.parametrize("way", ["sqlite to postgresql", "postgresql to sqlite", "postgresql to postgresql"])
def test_the_two_databases_share_one_format(postgresql_server: PostgreSql, tmp_path: Path, way: str) -> None:
    server = postgresql_server
    source, target = way.split(" to ")
    made = Made(tmp_path / "old", server.new_database() if source == "postgresql" else "")
    made.export()
    restored = made.restore(tmp_path / "new", server.new_database() if target == "postgresql" else "")
    assert rows_of(restored.config, NEW_BY_RESTORE) == rows_of(made.config, NEW_BY_RESTORE)
    # Numbers go on behind those that came with their rows.
    database = Database(restored.config.url)
    database.run_now(lambda s: happenings.record_events(s, NodeId("b" * 32), [_event(99)]))
    assert database.run_now(restorations.newest) == restored.restoration
    database.close()


def test_an_upgrade_takes_an_export_first(made: Made, tmp_path: Path) -> None:
    open_foundation(made.config, clock=CLOCK, entropy=ENTROPY).database.close()
    assert not (made.config.home / "export").exists()
    database = Database(made.config.url)
    database.downgrade("0010")
    database.close()
    open_foundation(made.config, clock=CLOCK, entropy=ENTROPY).database.close()
    restored = made.restore(tmp_path / "new", source=made.config.home / "export" / "before-upgrade-from-0010.export")
    assert len(rows_of(restored.config)["jobs"]) == 450


def test_records_of_an_older_form_come_back_in_the_newest(made: Made, tmp_path: Path) -> None:
    database = Database(made.config.url)
    database.downgrade("0010")
    database.close()
    made.export()
    restored = made.restore(tmp_path / "new")
    assert len(rows_of(restored.config)["jobs"]) == 450
