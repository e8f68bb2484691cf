"""What is held is stored ahead of its sealing, beside further commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import pytest

from holdfast.core.clock import now
from holdfast.repository._format.pack import BlobType
from holdfast.repository.continuous import continuous, sealing_held, storing_ahead
from holdfast.repository.continuous.held import Held
from holdfast.repository.continuous.journal import ChunkFrame
from holdfast.repository.interior import Interior
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource, read_all, some_states


@pytest.mark.parametrize("meanwhile", ["commits", "sealed"])
def test_what_comes_while_chunks_are_stored_ahead_is_kept_as_well(
    scene: RepositoryScene, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    repository, source = scene.open(), FollowedSource(scene)
    source.send(repository, "backup")
    states = some_states(source, repository, 5)
    loaded, calls = storing_ahead._loaded, []

    def interrupted(held: Held, some: Sequence[bytes]) -> Sequence[tuple[ChunkFrame, bytes]]:
        calls.append(len(some))
        if len(calls) == 2:
            source.remove(b"/data/new1")
            states.update(some_states(source, repository, 3))
            if meanwhile == "sealed":
                repository.seal()
        return loaded(held, some)

    newest, found = storing_ahead.newest_trees, []

    def counted(trees: Mapping[bytes, bytes], root: bytes, known: Set[bytes]) -> tuple[dict[bytes, bytes], list[bytes]]:
        found.append(newest(trees, root, known))
        return found[-1]

    monkeypatch.setattr(storing_ahead, "_MANY", 1)
    monkeypatch.setattr(storing_ahead, "_STILL_MANY", 1)
    monkeypatch.setattr(storing_ahead, "_PAGE_CHUNKS", 3)
    monkeypatch.setattr(storing_ahead, "_loaded", interrupted)
    monkeypatch.setattr(storing_ahead, "newest_trees", counted)
    monkeypatch.setattr(sealing_held, "newest_trees", counted)
    scene.clock.advance(60)
    repository.tick()
    # What came meanwhile is stored ahead once more.
    assert len(calls) == (6 if meanwhile == "commits" else 4)
    if meanwhile == "commits":
        # Those that came while chunks were stored went ahead, too: nothing is left for the sealing.
        assert found[0][0]
        assert found[-1] == ({}, [])
    assert repository.held_problems == ()
    source.leave()
    assert not list((scene.home / "journal").glob("*"))
    for at, tree in states.items():
        assert read_all(repository.reader(repository.point_at(DATASET, at))) == tree
    assert [finding for finding in repository.check(read_data=True) if finding.code != "pack-unused"] == []
    repository.close()
    scene.restic.check()


def test_a_commit_that_is_under_way_goes_before_the_next_page(scene: RepositoryScene, monkeypatch: pytest.MonkeyPatch) -> None:
    repository, source = scene.open(), FollowedSource(scene)
    source.send(repository, "backup")
    some_states(source, repository, 5)
    assert source.session is not None
    waits = []

    def arrives(held: Held, most_s: float) -> bool:
        waits.append(most_s)
        if len(waits) == 1:
            return False
        held.ends()
        return True

    monkeypatch.setattr(storing_ahead, "_MANY", 1)
    monkeypatch.setattr(Held, "give_way", arrives)
    source.session.begin(source.feeder.beginning(source.session.cursor()))
    scene.clock.advance(60)
    repository.tick()
    assert len(waits) > 2
    assert repository.held_problems == ()
    source.session.abort()
    source.feeder.seq -= 1
    some_states(source, repository, 2)
    source.leave()
    assert read_all(repository.reader(repository.point_at(DATASET, now(scene.clock)))) == source.tree
    repository.close()


@pytest.mark.parametrize("lost", ["a blob is distrusted", "nothing, as a refresh finds"])
def test_what_may_be_there_no_more_is_stored_again(scene: RepositoryScene, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    repository, source = scene.open(), FollowedSource(scene)
    source.send(repository, "backup")
    some_states(source, repository, 5)
    held = repository._continuous.of(DATASET)
    ahead, taken = storing_ahead.store_ahead, []

    def and_then(interior: Interior, of: Held) -> None:
        ahead(interior, of)
        assert of.ahead.log is not None
        if lost == "a blob is distrusted":
            place = interior.blobs.place(min(of.ahead.chunks), BlobType.DATA)
            assert place is not None
            interior.blobs.distrust({place.pack: [place.blob.id]})
        else:
            interior.refresh()
        taken.append(storing_ahead.what_is_ahead(interior, of) is of.ahead)

    monkeypatch.setattr(storing_ahead, "_MANY", 1)
    monkeypatch.setattr(continuous, "store_ahead", and_then)
    scene.clock.advance(60)
    repository.tick()
    assert taken == [lost != "a blob is distrusted"]
    assert held.is_empty
    assert read_all(repository.reader(repository.point_at(DATASET, now(scene.clock)))) == source.tree
    source.leave()
    repository.close()
    scene.restic.check()


def test_what_one_node_sent_is_stored_ahead_as_its_own_though_another_delivers_meanwhile(
    scene: RepositoryScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, source = scene.open(), FollowedSource(scene)
    source.send(repository, "backup")
    some_states(source, repository, 5)
    held, blobs = repository._continuous.of(DATASET), repository._interior.blobs
    one, another, chunks = held.sender, held.sender + 1, list(held.chunks)
    loaded = storing_ahead._loaded

    def interrupted(of: Held, some: Sequence[bytes]) -> Sequence[tuple[ChunkFrame, bytes]]:
        # As its commit begins: what is held of the other is sealed first.
        found = loaded(of, some)
        repository.seal()
        of.sender = another
        return found

    monkeypatch.setattr(storing_ahead, "_MANY", 1)
    monkeypatch.setattr(storing_ahead, "_loaded", interrupted)
    scene.clock.advance(60)
    repository.tick()
    claimed = [[chunk for chunk, known in blobs.known_chunks(chunks, node).items() if known.claimed] for node in (one, another)]
    assert (len(claimed[0]), claimed[1]) == (len(chunks), [])
    assert held.ahead.until == 0
    held.sender = one
    source.leave()
    repository.close()


def test_a_session_that_ends_says_nothing_of_the_commit_of_another(scene: RepositoryScene) -> None:
    repository, source = scene.open(), FollowedSource(scene)
    source.send(repository, "backup")
    some_states(source, repository, 1)
    assert source.session is not None
    late, held = scene.action(repository), repository._continuous.of(DATASET)
    late.cursor()
    source.session.begin(source.feeder.beginning(source.session.cursor()))
    late.close()
    assert held.is_open
    source.session.abort()
    assert not held.is_open
    source.leave()
    repository.close()
