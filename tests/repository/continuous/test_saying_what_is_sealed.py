"""An owner says up to where what it holds outlives its disk: in each acknowledgement, and when a session begins."""

from __future__ import annotations

from holdfast.delivery.action_group import ActionGroup
from holdfast.delivery.ports import Holds
from holdfast.model.change import Cursor, Durability
from holdfast.testing.repository_scene import RepositoryScene
from tests.repository.followed import FollowedSource


def test_what_is_held_is_sealed_later_and_said_to_be(scene: RepositoryScene) -> None:
    repository = scene.open()
    source = FollowedSource(scene)
    source.write(b"/data/one", b"first")
    source.send(repository, "backup")
    first = source.cursor
    for number in range(3):
        scene.clock.advance(1)
        source.write(b"/data/one", b"state %d" % number)
        told = source.send(repository)
        assert (told.durability, told.cursor, told.sealed) == (Durability.HELD, source.cursor, first)
    assert stands(source) == (source.cursor, first)
    scene.clock.advance(60)
    repository.tick()
    assert stands(source) == (source.cursor, None)
    sealed = source.cursor
    source.write(b"/data/one", b"more")
    assert source.send(repository).sealed == sealed
    source.leave()
    repository.close()


def stands(source: FollowedSource) -> tuple[Cursor | None, Cursor | None]:
    """What a hello is answered with."""
    assert source.session is not None
    assert isinstance(source.session, Holds)
    (state,) = ActionGroup([source.session]).states([source.session.id])
    return state.cursor, state.sealed
