"""Content that comes ahead of its commit, in commits that are never ended."""

from __future__ import annotations

from random import Random

from holdfast.model.change import Part, Segment
from holdfast.model.entry import ChunkRef
from holdfast.repository.repository import Repository
from holdfast.testing.feeding import PlainChunk, chunk_id
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.followed import CDP, FollowedSource, read_all


def followed(scene: RepositoryScene) -> tuple[Repository, FollowedSource]:
    scene.following = (CDP,)
    repository = scene.open()
    source = FollowedSource(scene)
    source.write(b"/data/one", b"one")
    source.send(repository, "backup")
    return repository, source


def test_what_came_of_a_commit_that_did_not_is_not_sent_again(scene: RepositoryScene) -> None:
    """Content of a large file goes ahead like this: much of it stays, a little is not worth a pack."""
    repository, source = followed(scene)
    action = source.session
    assert action is not None
    contents = [bytes([number]) * (300_000 + number) for number in range(5)]
    much = [Random(number).randbytes(len(content)) for number, content in enumerate(contents)]
    for chosen, stays in ((much[:1], False), (much, True)):
        offered = tuple(ChunkRef(chunk_id(content), len(content)) for content in chosen)
        parts = (Part(b"/data/film", 0, offered),)
        segment = Segment(number=0, parts=parts, offered=offered)
        for again in (False, True):
            action.begin(source.feeder.beginning(action.cursor()))
            wanted = action.wanted(segment)
            assert wanted == (frozenset() if again and stays else {ref.id for ref in offered})
            action.apply(segment, {chunk_id(content): PlainChunk(chunk_id(content), content) for content in chosen if wanted}, frozenset())
            action.abort()
    source.write(b"/data/one", b"more")
    source.send(repository)
    assert read_all(repository.reader(repository.point_at(DATASET, None))) == source.tree
    source.leave()
    repository.close()
    scene.restic.check()
