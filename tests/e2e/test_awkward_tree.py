"""Everything a Linux tree can hold, backed up and restored equal by us, and by stock restic as well as restic does on its own."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from holdfast.host.compare import compare_trees
from holdfast.testing.odd_tree import build_odd_tree
from tests.e2e.world import ONE_TO_TWO, World, by_hand_only, restic, rsync_differences, world_in

pytestmark = [pytest.mark.e2e, pytest.mark.big, pytest.mark.timeout(600)]

GIB = 1 << 30


def _grow(root: Path) -> None:
    """The shipped odd tree, and what the issue of the main job names beyond it."""
    build_odd_tree(root)
    base = os.fsencode(root)
    for name in (b'quote"back\\slash', "ünïcödé ✓".encode(), b" leading", b"\x01\x7f", b"<&>\xe2\x80\xa8"):
        with open(base + b"/" + name, "wb") as file:
            file.write(name * 3)
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(root)
        listener.bind("socket")
        os.chdir(here)
    with (root / "large and sparse").open("wb") as file:
        file.seek(50_000_000)
        file.write(b"end of a sparse file")
        file.truncate(80_000_000)
    (root / "attributes").write_text("x")
    os.setxattr(base + b"/attributes", "user.binary", bytes(range(256)))
    os.setxattr(base + b"/attributes", "user.empty", b"")
    (root / "sticky folder").mkdir()
    (root / "sticky folder").chmod(0o1777)
    _write_large(root / "three gibibytes")
    for number, path in enumerate(sorted(root.rglob("*"), key=lambda p: len(p.parts), reverse=True)):
        os.utime(path, ns=(1_600_000_000_000_000_001 + number, 1_500_000_000_123_456_789 + number), follow_symlinks=False)


def _write_large(path: Path) -> None:
    """3 GiB that neither repeats nor compresses, made at memory speed: a cipher's stream."""
    stream = Cipher(algorithms.AES(b"holdfast's tests"), modes.CTR(b"\0" * 16)).encryptor()
    zeros = bytes(16 << 20)
    with path.open("wb") as file:
        for _ in range(3 * GIB // len(zeros)):
            file.write(stream.update(zeros))


@pytest.fixture
def awkward(tmp_path: Path) -> Iterator[World]:
    _grow(tmp_path / "data")
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        text = ONE_TO_TWO.format(folder=tmp_path, when=by_hand_only())
        # The cascade has tests of its own; here it would only take another 3 GiB of disk.
        world.apply(text[: text.rindex("      - {from: store, to: far")], "office")
        yield world


def test_awkward_tree_comes_back_equal(awkward: World) -> None:
    folder, data = awkward.folder, awkward.folder / "data"
    record = awkward.json("trigger", "office", "--wait", expect=None)
    assert record["state"] in ("succeeded", "warnings"), record
    assert "socket-skipped" in str(record)
    (data / "socket").unlink()

    point = awkward.points("main")[0]
    awkward.run("restore", point["id"], "--to", str(folder / "ours"))
    ours = folder / "ours" / str(data)[1:]
    assert [str(d) for d in compare_trees(data, ours) if d.path] == []
    assert (ours / "large and sparse").stat().st_blocks * 512 < 10_000_000, "holes stay holes"
    assert [line for line in rsync_differences(data, folder / "dr/mirror").splitlines() if not line.endswith("./")] == []
    awkward.restic("main", "vault", "check", "--read-data")

    awkward.restic("main", "vault", "restore", "latest", "--target", str(folder / "by-restic"))
    lost = {(d.path, d.what) for d in compare_trees(data, folder / "by-restic" / str(data)[1:]) if d.path}
    subprocess.run(["rm", "-r", str(folder / "by-restic"), str(folder / "ours")], check=True)
    assert lost <= _lost_by_restic_alone(folder, data), "stock restic loses more on our repository than on its own"


def _lost_by_restic_alone(folder: Path, data: Path) -> set[tuple[bytes, str]]:
    """The same tree (but for the large file, which has nothing awkward) through `restic backup` and `restic restore`."""
    large = data / "three gibibytes"
    restic(str(folder / "reference"), "x", folder, "init")
    restic(str(folder / "reference"), "x", folder, "backup", "--exclude", str(large), str(data))
    restic(str(folder / "reference"), "x", folder, "restore", "latest", "--target", str(folder / "restic-alone"))
    found = compare_trees(data, folder / "restic-alone" / str(data)[1:])
    return {(d.path, d.what) for d in found if d.path and d.path != large.name.encode()}
