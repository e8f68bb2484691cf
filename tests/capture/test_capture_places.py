"""Runs that look only at places: what they look at, what they leave alone, what a move saves, and what they cost."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.capture.ports import CaptureRequest, Moved, Place
from holdfast.core.errors import SourceVanished, UsageError
from holdfast.core.ids import DatasetId
from holdfast.model.change import Commit, Move
from holdfast.model.entry import walk_key


def _place(path: Path, below: bool = False) -> Place:
    return Place(os.fsencode(path), below)


def _move(old: Path, new: Path) -> tuple[Moved, tuple[Place, ...]]:
    inode = old.lstat().st_ino
    old.rename(new)
    return Moved(os.fsencode(old), os.fsencode(new), inode), (_place(old, True), _place(new, True))


def _moves_of(machine, *receivers, places=(), moves=()):
    """What the run says of the moves before it is iterated; then it is run."""
    rules = tuple(machine.rules[receiver.dataset] for receiver in receivers)
    bases = {receiver.dataset: receiver.seq for receiver in receivers}
    told = machine.capture.run(CaptureRequest(rules, bases, places=tuple(places), moves=tuple(moves))).moves
    machine.run(*receivers, places=tuple(places), moves=tuple(moves))
    return told


def test_moves_are_told_also_once_the_run_has_begun(machine):
    (machine.source / "old").mkdir()
    docs = machine.dataset()
    machine.run(docs)
    move, places = _move(machine.source / "old", machine.source / "new")
    rules, bases = (machine.rules[docs.dataset],), {docs.dataset: docs.seq}
    run = machine.capture.run(CaptureRequest(rules, bases, places=(_place(machine.source), *places), moves=(move,)))
    for _ in run:
        assert run.moves == {docs.dataset: (Move(move.moved_from, move.path),)}
    assert run.result().counters.changed


def test_only_places_are_looked_at(machine):
    for name in ("a", "b", "folder/c", "folder/d"):
        (machine.source / name).parent.mkdir(exist_ok=True)
        (machine.source / name).write_bytes(b"1")
    docs = machine.dataset()
    machine.run(docs)
    for name in ("a", "b", "folder/c", "folder/d"):
        (machine.source / name).write_bytes(b"22")
    (machine.source / "new").write_bytes(b"n")
    result = machine.run(docs, places=(_place(machine.source / "a"), _place(machine.source / "folder/d")))
    assert sorted(docs.puts) == [machine.root + b"/a", machine.root + b"/folder/d"]
    assert result.counters.read_bytes == 4
    machine.run(docs, places=(_place(machine.source / "folder", below=True), _place(machine.source.parent, below=False)))
    assert machine.root + b"/folder/c" in docs.puts
    assert machine.root + b"/new" not in docs.tree
    machine.run(docs, places=(_place(machine.source.parent, below=True),))
    assert machine.below(docs) == machine.facts()
    machine.run(docs)
    assert machine.puts(docs) == 0


def test_folders_on_the_way_become_members_and_what_is_in_them_comes_along(machine):
    docs = machine.dataset()
    machine.run(docs)
    (machine.source / "new/deep").mkdir(parents=True)
    (machine.source / "new/deep/a").write_bytes(b"a")
    (machine.source / "new/b").write_bytes(b"b")
    machine.run(docs, places=(_place(machine.source / "new/deep/a"),))
    assert machine.root + b"/new/b" in docs.tree
    machine.run(docs, places=(_place(machine.source),))
    assert machine.below(docs) == machine.facts()


@pytest.mark.parametrize("becomes", ["nothing", "file", "link"])
def test_a_folder_on_the_way_that_is_none_any_more(machine, becomes):
    (machine.source / "folder/deep").mkdir(parents=True)
    for name in ("folder/a", "folder/deep/b"):
        (machine.source / name).write_bytes(b"1")
    (machine.source / "elsewhere").mkdir()
    (machine.source / "elsewhere/a").write_bytes(b"not to be seen here")
    docs = machine.dataset()
    machine.run(docs)
    (machine.source / "folder").rename(machine.source.parent / "gone")
    if becomes == "file":
        (machine.source / "folder").write_bytes(b"f")
    elif becomes == "link":
        (machine.source / "folder").symlink_to("elsewhere")
    machine.run(docs, places=(_place(machine.source / "folder/a"),))
    gone = {path for path in docs.removed if path.startswith(machine.root)}
    below = {machine.root + name for name in (b"/folder/a", b"/folder/deep", b"/folder/deep/b")}
    assert gone == below | ({machine.root + b"/folder"} if becomes == "nothing" else set())
    machine.run(docs, places=(_place(machine.source),))
    assert machine.below(docs) == machine.facts()


def test_places_that_are_nowhere_and_places_that_are_none(machine):
    docs = machine.dataset()
    machine.run(docs)
    nowhere = (Place(b"/nowhere/at/all", below=True), _place(machine.source / "/".join(["n" * 250] * 20)), _place(machine.source / "a/b/c"))
    assert machine.run(docs, places=nowhere).counters.changed == 0
    for path in (b"relative", b"/a/../b", b"/a\x00b", b""):
        with pytest.raises(UsageError, match="place to look at"):
            machine.run(docs, places=(Place(path),))
    with pytest.raises(UsageError, match="no places"):
        machine.run(docs, moves=(Moved(b"/a", b"/b", 1),))
    with pytest.raises(UsageError, match="reads nothing"):
        machine.run(docs, places=(), scan=False)


def test_a_new_dataset_is_captured_as_a_whole(machine):
    (machine.source / "a").write_bytes(b"a")
    docs, late = machine.dataset("docs"), machine.dataset("late")
    machine.run(docs)
    machine.run(docs, late, places=(_place(machine.source / "nothing"),))
    assert machine.below(late) == machine.facts()


def test_the_guard_watches_runs_of_places(machine):
    folder = machine.source / "data"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_bytes(b"1")
    docs = machine.dataset("docs", folder)
    machine.run(docs)
    (folder / "a").unlink()
    machine.run(docs, places=(_place(folder / "a"),))
    (folder / "b").unlink()
    with pytest.raises(SourceVanished, match="is empty and was not before"):
        machine.run(docs, places=(_place(folder / "b"),))
    assert machine.root + b"/data/b" in docs.tree
    folder.rename(machine.source / "elsewhere")
    with pytest.raises(SourceVanished, match="is gone"):
        machine.run(docs, places=(_place(folder / "b"),))
    machine.run(docs, places=(), accept=True)
    assert {path for path in docs.removed if path.startswith(machine.root)} == {machine.root + b"/data", machine.root + b"/data/b"}


def test_too_many_losses_at_places(machine):
    for number in range(1_500):
        (machine.source / f"f{number:05}").write_bytes(b"")
    docs = machine.dataset()
    machine.run(docs)
    places = tuple(_place(machine.source / f"f{number:05}") for number in range(1_000))
    for number in range(1_000):
        (machine.source / f"f{number:05}").unlink()
    with pytest.raises(SourceVanished, match="1,000 of"):
        machine.run(docs, places=places)
    machine.run(docs, places=places, accept=True)
    assert machine.below(docs) != machine.facts()
    machine.run(docs, places=(_place(machine.source),))
    assert machine.below(docs) == machine.facts()


def test_suspects_are_named_until_they_are_none(machine):
    machine.clock.ahead_ns = -10_000_000_000
    docs = machine.dataset()
    machine.run(docs)
    (machine.source / "fresh").write_bytes(b"fresh")
    fresh = machine.root + b"/fresh"
    result = machine.run(docs, places=(_place(machine.source / "fresh"),))
    assert result.suspects == (fresh,)
    assert fresh in machine.flagged()
    machine.clock.ahead_ns = 1_000_000_000
    result = machine.run(docs, places=tuple(Place(path) for path in machine.flagged()))
    assert (result.suspects, machine.flagged()) == ((), ())
    assert fresh not in docs.puts
    machine.state.mark_withdrawn(fresh)
    assert machine.flagged() == (fresh,)


def test_a_renamed_folder_is_not_read_again(machine):
    for number in range(2_000):
        path = machine.source / f"folder/sub{number % 20}/f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(100))
    docs = machine.dataset()
    machine.run(docs)
    # Nearly all the entries there are: not lost, only elsewhere.
    move, places = _move(machine.source / "folder", machine.source / "renamed")
    told = _moves_of(machine, docs, places=(*places, _place(machine.source)), moves=(move,))
    assert told == {docs.dataset: (Move(move.moved_from, move.path),)}
    assert machine.result.counters.read_bytes == 0
    assert machine.last.reader.opened == 0
    assert docs.received_bytes == 2_000 * 100
    assert machine.below(docs) == machine.facts()
    machine.run(docs)
    assert machine.puts(docs) == 0


def test_chains_and_swaps(machine):
    for name in ("a/1", "b/2"):
        (machine.source / name).parent.mkdir()
        (machine.source / name).write_bytes(name.encode())
    (machine.source / "single").write_bytes(b"single")
    docs = machine.dataset()
    machine.run(docs)
    source = machine.source
    done = [
        _move(source / "a", source / "t"),
        _move(source / "b", source / "a"),
        _move(source / "t", source / "b"),
        _move(source / "single", source / "double"),
        _move(source / "double", source / "a/triple"),
    ]
    moves, places = tuple(move for move, _ in done), tuple(place for _, both in done for place in both)
    told = _moves_of(machine, docs, places=(*places, _place(source)), moves=moves)
    assert told[docs.dataset] == tuple(Move(move.moved_from, move.path) for move in moves)
    assert machine.result.counters.read_bytes == 0
    assert machine.below(docs) == machine.facts()
    assert docs.content(machine.root + b"/b/1") == b"a/1"


def test_a_large_file_that_was_moved_is_read_only_for_who_lacks_it(machine):
    (machine.source / "large").write_bytes(os.urandom(20 << 20))
    docs, late = machine.dataset(), machine.dataset()
    machine.run(docs)
    move, places = _move(machine.source / "large", machine.source / "moved")
    machine.run(docs, places=places, moves=(move,))
    assert machine.result.counters.read_bytes == 0
    machine.run(docs, late, places=())
    assert machine.result.counters.read_bytes == 20 << 20
    machine.run(docs, late, places=(_place(machine.source),))
    assert machine.below(docs) == machine.below(late) == machine.facts()


def test_of_a_large_file_that_is_written_in_place_little_travels(machine):
    path, chance = machine.source / "image", random.Random(1)
    path.write_bytes(chance.randbytes(48 << 20))
    docs = machine.dataset(granularity="fine")
    machine.run(docs)
    for _ in range(2):
        with path.open("r+b") as file:
            for _ in range(12):
                file.seek(chance.randrange(12 << 10) * 4096)
                file.write(chance.randbytes(4096))
        before = docs.received_bytes
        machine.run(docs, places=(_place(path),))
        assert 12 * 4096 <= docs.received_bytes - before <= 40 * 12 * 4096
    assert machine.below(docs) == machine.facts()


def test_what_changed_in_a_moved_folder_is_read(machine):
    (machine.source / "old").mkdir()
    for name in ("same", "longer", "touched", "replaced", "gone"):
        (machine.source / "old" / name).write_bytes(b"12345")
    docs = machine.dataset()
    machine.run(docs)
    times = (machine.source / "old/touched").stat()
    move, places = _move(machine.source / "old", machine.source / "new")
    (machine.source / "new/longer").write_bytes(b"123456")
    (machine.source / "new/touched").write_bytes(b"54321")
    os.utime(machine.source / "new/touched", ns=(times.st_atime_ns, times.st_mtime_ns))
    (machine.source / "other").write_bytes(b"99999")
    (machine.source / "other").rename(machine.source / "new/replaced")
    (machine.source / "new/gone").unlink()
    machine.run(docs, places=(*places, _place(machine.source)), moves=(move,))
    assert machine.result.counters.read_bytes == 6 + 5 + 5
    assert machine.below(docs) == machine.facts()


def test_moves_in_and_out_of_the_classification(machine):
    for name in ("in", "out"):
        (machine.source / name / "data").mkdir(parents=True)
    (machine.source / "in/data/a").write_bytes(b"aaa")
    (machine.source / "in/keep").write_bytes(b"k")
    (machine.source / "out/data/b").write_bytes(b"bb")
    part, whole = machine.dataset("part", machine.source / "in"), machine.dataset("whole")
    machine.run(part, whole)
    leaves, places = _move(machine.source / "in/data", machine.source / "out/left")
    comes, more = _move(machine.source / "out/data", machine.source / "in/came")
    told = _moves_of(machine, part, whole, places=(*places, *more, _place(machine.source, below=True)), moves=(leaves, comes))
    assert told == {whole.dataset: tuple(Move(move.moved_from, move.path) for move in (leaves, comes))}
    # The one comes from a place where another dataset knew it: known, too.
    assert machine.result.counters.read_bytes == 2
    assert part.content(machine.root + b"/in/came/b") == b"bb"
    assert machine.below(whole) == machine.facts()
    assert machine.root + b"/in/data/a" in part.removed


def test_moves_that_are_not_confirmed(machine):
    for name in ("a", "b", "c.tmp"):
        (machine.source / name).mkdir()
        (machine.source / name / "f").write_bytes(name.encode())
    docs = machine.dataset(exclude=("*.tmp/",))
    machine.run(docs)
    source = machine.source
    wrong = Moved(os.fsencode(source / "b"), os.fsencode(source / "b2"), 1)
    out, places = _move(source / "a", source / "a.tmp")
    here, more = _move(source / "c.tmp", source / "c")
    told = _moves_of(machine, docs, places=(*places, *more, _place(source)), moves=(wrong, out, here))
    assert told == {}
    assert machine.below(docs).keys() == {machine.root + name for name in (b"", b"/b", b"/b/f", b"/c", b"/c/f")}


def test_what_is_new_keeps_no_move_from_being_told(machine):
    """A file that was saved by a rename, in a folder that was renamed, too: nobody has the file under its first name."""
    source = machine.source
    (source / "folder").mkdir()
    for name in ("one", "two"):
        (source / "folder" / name).write_bytes(name.encode())
    docs = machine.dataset()
    machine.run(docs)
    (source / "folder/one.new").write_bytes(b"another one")
    saved, places = _move(source / "folder/one.new", source / "folder/one")
    renamed, more = _move(source / "folder", source / "renamed")
    told = _moves_of(machine, docs, places=(*places, *more, _place(source)), moves=(saved, renamed))
    assert told == {docs.dataset: (Move(renamed.moved_from, renamed.path),)}
    assert machine.result.counters.read_bytes == len(b"another one")
    assert machine.below(docs) == machine.facts()


def test_names_of_an_inode(machine):
    (machine.source / "a").write_bytes(b"a")
    docs = machine.dataset()
    machine.run(docs)
    os.link(machine.source / "a", machine.source / "b")
    inode = (machine.source / "a").stat().st_ino
    assert machine.state.paths_of_inode(inode) == (machine.root + b"/a",)
    machine.run(docs, places=(_place(machine.source / "b"), _place(machine.source / "a")))
    assert machine.state.paths_of_inode(inode) == (machine.root + b"/a", machine.root + b"/b")
    (machine.source / "a").unlink()
    machine.run(docs, places=(_place(machine.source / "a"),))
    assert machine.state.paths_of_inode(inode) == (machine.root + b"/b",)


def test_one_wait_for_the_disk(machine, monkeypatch):
    docs = machine.dataset()
    machine.run(docs)
    written: list[None] = []
    really = type(machine.state).make_durable
    monkeypatch.setattr(type(machine.state), "make_durable", lambda state: (written.append(None), really(state))[1])
    (machine.source / "a").write_bytes(b"a")
    result = machine.run(docs, places=(_place(machine.source / "a"),))
    assert not written
    machine.state.finish(
        Commit(dataset=docs.dataset, epoch=machine.state.epoch, seq=result.run, captured_at=result.captured_at, continuous=True)
    )
    assert len(written) == 1


def test_a_receiver_that_is_behind_small_runs_costs_no_look_at_all_rows(machine, monkeypatch):
    for number in range(50):
        (machine.source / f"f{number}").write_bytes(b"1")
    docs, late = machine.dataset(), machine.dataset()
    machine.run(docs, late)
    monkeypatch.setattr(type(machine.state.lacking), "_rows_after", None)
    for number in (3, 7, 3):
        path = machine.source / f"f{number}"
        path.write_bytes(path.read_bytes() + b"1")
        machine.run(docs, places=(_place(path),))
    (machine.source / "f9").unlink()
    machine.run(docs, places=(_place(machine.source / "f9"),))
    (machine.source / "f8").write_bytes(b"22")
    machine.run(docs, late, places=(_place(machine.source / "f8"),))
    assert sorted(late.puts) == [machine.root + name for name in (b"/f3", b"/f7", b"/f8")]
    assert machine.root + b"/f9" in late.removed
    machine.state.drop_tombstones(docs.dataset, docs.seq)
    assert machine.state.row(walk_key(machine.root + b"/f9")) is None
    with closing(sqlite3.connect(machine.state.path)) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM changed").fetchone() == (0,)


def test_a_dataset_nobody_captures_any_more_takes_its_numbers_along(machine):
    (machine.source / "a").write_bytes(b"123")
    docs, other = machine.dataset("docs"), machine.dataset("other")
    machine.run(docs, other)
    assert machine.state.totals(3) == {3: (1, 3)}
    machine.state.forget(DatasetId(docs.dataset))
    assert machine.state.totals(3) == {2: (1, 3)}
    assert machine.state.count_members(1) == 0
    assert machine.state.is_new(docs.dataset)


def test_an_unreadable_place_keeps_what_was_below(machine, monkeypatch):
    (machine.source / "dir/sub").mkdir(parents=True)
    for name in ("dir/a", "dir/sub/b"):
        (machine.source / name).write_bytes(b"1")
    docs = machine.dataset()
    machine.run(docs)
    really_scan, really_look = os.scandir, os.lstat

    def refuse(really, path):
        if os.fsencode(path).endswith(b"/dir/sub"):
            raise PermissionError(13, "Permission denied")
        return really(path)

    monkeypatch.setattr(os, "scandir", lambda path: refuse(really_scan, path))
    result = machine.run(docs, places=(_place(machine.source / "dir/sub", below=True),))
    assert [finding.code for finding in result.findings] == ["unreadable"]
    monkeypatch.setattr(os, "lstat", lambda path: refuse(really_look, path))
    result = machine.run(docs, places=(_place(machine.source / "dir/sub", below=True), _place(machine.source / "dir/sub/b")))
    monkeypatch.undo()
    assert [finding.code for finding in result.findings] == ["unreadable"]
    assert not docs.removed
    assert machine.below(docs) == machine.facts()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_places_in_what_is_mounted_in_a_root(machine):
    inner = machine.source / "inner"
    inner.mkdir()
    one, many = machine.dataset("one"), machine.dataset("many", one_file_system=False)
    machine.run(one, many)
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(inner)], check=False, capture_output=True).returncode:
        pytest.skip("no right to mount here")
    try:
        (inner / "deep").mkdir()
        (inner / "deep/a").write_bytes(b"a")
        machine.run(one, many, places=(_place(inner / "deep/a"),))
        assert machine.root + b"/inner/deep/a" in many.tree
        assert machine.root + b"/inner/deep" not in one.tree
        assert machine.root + b"/inner" in one.tree
        (inner / "deep/b").write_bytes(b"b")
        machine.run(one, many, places=(_place(inner / "deep/b"),))
        assert machine.root + b"/inner/deep/b" in many.tree
        # Another folder has come to lie there: it was looked at by itself. The folder with the new name in it was not.
        machine.run(one, many)
        assert (machine.puts(one), machine.puts(many)) == (0, 1)
    finally:
        subprocess.run(["umount", str(inner)], check=True)
