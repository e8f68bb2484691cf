"""A scrub reads everything in turn, tells what it finds, and lets deliveries go first; a catalog is made anew beside the old one."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.clock import now
from holdfast.core.errors import Cancelled, RepositoryLocked
from holdfast.model.listing_questions import AskFind
from holdfast.repository._format.index import IndexedPack
from holdfast.repository.care.scrubbing import NextPart, ScrubRecord, recorded
from holdfast.repository.packs.inventory import Inventory
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import START, RepositoryScene
from tests.repository.damage import TwoPoints


@pytest.fixture
def stored(scene: RepositoryScene, tree: Path) -> TwoPoints:
    return TwoPoints(scene, tree)


@given(st.dictionaries(st.binary(min_size=32, max_size=32), st.integers(1, 1000), max_size=30), st.floats(0.01, 1))
def test_a_pass_reads_every_pack_once_in_so_many_parts(packs: dict[bytes, int], ratio: float) -> None:
    inventory = Inventory()
    inventory.add([IndexedPack(pack, ()) for pack in packs], packs)
    inventory.freeze()
    record, read = ScrubRecord(repository="r"), list[bytes]()
    for day in range(1, 120):
        part = NextPart(record.through, ratio)
        read += sorted(part(inventory))
        record = recorded(record, part, now=START + timedelta(days=day), clean=day != 2)
        if record.full_at is not None:
            break
    assert read == sorted(packs)
    assert record.through == ""
    assert record.done_ratio == 1
    assert day <= 1 / ratio + 1
    assert record.full_clean is (day < 2)


def test_a_scrub_goes_on_where_the_last_one_stopped_also_after_a_restart(stored: TwoPoints) -> None:
    scene, runs = stored.scene, 0
    repository = scene.open()
    while repository.care.last_scrub.full_at is None:
        assert repository.care.scrub(0.3) == ()
        status = repository.status()
        assert status.scrubbed_at == now(scene.clock)
        repository.close()
        repository = scene.open()
        runs += 1
        scene.clock.advance(86_400)
    assert 2 <= runs <= 4
    assert repository.status().proven_at is not None
    repository.close()


def test_a_scrub_finds_a_flipped_bit_and_sets_the_blob_apart(stored: TwoPoints) -> None:
    pack = max(stored.scene.place.glob("data/*/*"), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[9] ^= 4
    pack.write_bytes(data)
    repository = stored.scene.open()
    found = {finding.code for _ in range(10) for finding in repository.care.scrub(0.3)}
    assert found == {"pack-damaged", "blob-damaged"}
    assert repository.status().proven_at is None
    action = stored.scene.action(repository)
    assert action.cursor() is None
    action.close()
    repository.close()


def test_a_scrub_waits_while_a_delivery_runs(stored: TwoPoints) -> None:
    repository = stored.scene.open()
    interior = repository._interior
    interior.take_dataset(7)
    waiting, phases = threading.Event(), list[str]()

    def watch(phase: str, *_: int) -> None:
        phases.append(phase)
        if phase == "waiting":
            waiting.set()

    scrub = threading.Thread(target=lambda: repository.care.scrub(1.0, watch))
    scrub.start()
    assert waiting.wait(60)
    assert "data" not in phases
    interior.release_dataset(7)
    scrub.join(100)
    assert "data" in phases
    repository.close()


def test_a_scrub_that_waits_can_be_broken_off(stored: TwoPoints) -> None:
    repository = stored.scene.open()
    repository._interior.take_dataset(7)

    def watch(phase: str, *_: int) -> None:
        if phase == "waiting":
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        repository.care.scrub(1.0, watch)
    repository._interior.release_dataset(7)
    assert repository.care.last_scrub.at is None
    repository.close()


def _all(repository: Repository) -> tuple[object, ...]:
    return repository.points(), repository.find(AskFind(pattern="*")), repository.status().points


def test_a_catalog_is_made_anew_while_reading_goes_on(stored: TwoPoints) -> None:
    repository = stored.scene.open()
    before = _all(repository)
    reader = repository.reader(repository.points()[0])
    phases: set[str] = set()

    def watch(phase: str, *_: int) -> None:
        phases.add(phase)
        assert repository.points() == before[0]
        action = stored.scene.action(repository)
        with pytest.raises(RepositoryLocked):
            stored.feeder.send(action, stored.second.all, stored.second.all)
        action.close()

    repository.care.rebuild(watch)
    assert {"index", "versions"} <= phases
    assert sum(1 for _ in reader.entries()) == len(stored.first.all)
    reader.close()
    assert _all(repository) == before
    stored.feeder.seq = 2
    stored.scene.store(repository, stored.feeder, stored.second.all, stored.second.all)
    stored.assert_whole(repository)
    # The catalog that took the old one's place can do all that one could: it forgets, too.
    stored.scene.restic.run("forget", repository.points()[0].snapshot)
    assert len(repository.points()) == len(before[0])
    repository.close()
    stored.scene.restic.check()


def test_a_rebuild_that_is_broken_off_leaves_the_old_catalog(stored: TwoPoints) -> None:
    repository = stored.scene.open()
    before = _all(repository)

    def watch(phase: str, *_: int) -> None:
        if phase == "versions":
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        repository.care.rebuild(watch)
    assert _all(repository) == before
    assert [path.name for path in stored.scene.home.glob("catalog-new*")] == []
    repository.care.rebuild()
    assert _all(repository) == before
    repository.close()
