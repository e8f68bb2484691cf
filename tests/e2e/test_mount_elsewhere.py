"""Points as folders of a machine that does not own them: by the Master's order, over the wire."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cli.home import load_session, save_session
from holdfast.host.compare import compare_trees
from holdfast.host.mountpoint import kind_at
from holdfast.testing.odd_tree import build_odd_tree
from tests.e2e.test_mount import KIND, ONE_TO_ONE, newest
from tests.e2e.world import World, by_hand_only, eventually, world_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.big,
    pytest.mark.skipif(not os.path.exists("/dev/fuse") or shutil.which("fusermount3") is None, reason="needs FUSE: fuse3 and /dev/fuse"),
]
# What a read may take when nobody answers: the broken session, then one try to open it anew.
ERROR_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    build_odd_tree(folder / "data")
    (folder / "data" / "large").write_bytes(os.urandom(24 << 20))
    with world_in(folder, "files1", "vault") as world:
        world.apply(ONE_TO_ONE.format(folder=folder, when=by_hand_only()), "office")
        world.run("trigger", "office", "--wait", expect=None)
        save_session(world.home("files1"), load_session(world.home("master")))
        yield world


def test_a_point_of_another_machine_equals_its_source(office: World, place: Path) -> None:
    data = office.folder / "data"
    office.run("mount", newest(office), str(place), "--detach", home="files1")
    shown = place / str(data)[1:]
    assert [str(each) for each in compare_trees(data, shown, ignore_owner=os.geteuid() != 0)] == []
    office.run("unmount", str(place), home="files1")
    office.run("mount", "--dataset", "files1/documents", str(place), "--detach", home="files1")
    assert (place / "latest" / str(data / "plain")[1:]).read_bytes() == (data / "plain").read_bytes()
    office.run("unmount", str(place), home="files1")
    assert kind_at(os.fsencode(place)) == ""


def test_it_outlives_the_owner_and_the_master_and_never_hangs(office: World, place: Path) -> None:
    data = office.folder / "data"
    whole = hashlib.sha256((data / "large").read_bytes()).digest()
    office.run("mount", newest(office), str(place), "--detach", "--cache", "1MiB", home="files1")
    large = place / str(data / "large")[1:]
    office.kill("master")
    office.kill("vault")
    began_s = time.monotonic()
    with pytest.raises(OSError) as caught:
        large.read_bytes()
    assert caught.value.errno == errno.EIO
    assert time.monotonic() - began_s < ERROR_WITHIN_S
    office.restart_without_waiting("vault")

    def is_whole() -> bool:
        with contextlib.suppress(OSError):
            return hashlib.sha256(large.read_bytes()).digest() == whole
        return False

    eventually(is_whole, "it reads again by the same order, the Master still away")
    office.restart("master")
    office.machines.wait_for_nodes({"files1", "vault"})


def test_who_is_not_logged_in_gets_no_order(office: World, place: Path) -> None:
    session = office.home("files1") / "client.json"
    kept = session.read_bytes()
    session.unlink()
    try:
        told = office.run("mount", newest(office), str(place), home="files1", expect=None)
    finally:
        session.write_bytes(kept)
    assert told.returncode == 2
    assert "holdfast login" in told.stderr
    assert kind_at(os.fsencode(place)) != KIND
