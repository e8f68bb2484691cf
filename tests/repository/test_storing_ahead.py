"""What is held is stored ahead of its sealing, beside further commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime

import pytest

from holdfast.core.clock import now
from holdfast.model.entry import Entry
from holdfast.repository.continuous import sealing_held
from holdfast.repository.continuous.held import Held
from holdfast.repository.continuous.journal import ChunkFrame
from holdfast.repository.repository import Repository
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import FollowedSource, read_all


def some_states(source: FollowedSource, repository: Repository, count: int) -> dict[datetime, dict[bytes, Entry]]:
    states = {}
    for number in range(count):
        source.scene.clock.advance(1)
        source.write(b"/data/one", b"state %d of %d" % (number, source.feeder.seq))
        source.write(b"/data/new%d" % number, b"new %d" % source.feeder.seq)
        source.send(repository)
        states[now(source.scene.clock)] = dict(source.tree)
    return states


@pytest.mark.parametrize("meanwhile", ["commits", "sealed"])
def test_what_comes_while_chunks_are_stored_ahead_is_kept_as_well(
    scene: RepositoryScene, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    repository, source = scene.open(), FollowedSource(scene)
    source.send(repository, "backup")
    states = some_states(source, repository, 5)
    loaded, calls = sealing_held._loaded, []

    def interrupted(held: Held, some: Sequence[bytes]) -> Sequence[tuple[ChunkFrame, bytes]]:
        calls.append(len(some))
        if len(calls) == 2:
            source.remove(b"/data/new1")
            states.update(some_states(source, repository, 3))
            if meanwhile == "sealed":
                repository.seal()
        return loaded(held, some)

    newest, found = sealing_held._newest_trees, []

    def counted(trees: Mapping[bytes, bytes], root: bytes, known: Set[bytes]) -> tuple[dict[bytes, bytes], list[bytes]]:
        found.append(newest(trees, root, known))
        return found[-1]

    monkeypatch.setattr(sealing_held, "_MANY_CHUNKS", 1)
    monkeypatch.setattr(sealing_held, "_PAGE_CHUNKS", 3)
    monkeypatch.setattr(sealing_held, "_loaded", interrupted)
    monkeypatch.setattr(sealing_held, "_newest_trees", counted)
    scene.clock.advance(60)
    repository.tick()
    assert len(calls) == 4
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
