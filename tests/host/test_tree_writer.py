"""The writer makes trees exactly, and never outside its root."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import Conflict, NoSpace, ProtocolError, StoreError
from holdfast.host.compare import compare_trees
from holdfast.host.tree_writer import TreeWriter, data_ranges, store_error
from holdfast.model.entry import Entry, Hole, Kind, walk_key
from holdfast.model.jobs import Finding
from holdfast.testing.child import run_in_child
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.tree_source import TreeSource


def copy(source: TreeSource, writer: TreeWriter, name: bytes) -> None:
    """Writes the source below `name` of the writer's root."""
    groups: dict[tuple[int, int], bytes] = {}
    below = [entry for entry in source.entries() if entry.path.startswith(source.root)]
    for entry in below:
        path = name + entry.path[len(source.root) :]
        group = (entry.device, entry.inode)
        if entry.kind is Kind.DIRECTORY:
            writer.ensure_folder(path)
        elif entry.kind is not Kind.FILE:
            writer.put_special(path, entry)
        elif group in groups:
            writer.link(groups[group], path)
        else:
            if entry.links > 1:
                groups[group] = path
            draft = writer.begin_file(path)
            offset = 0
            for ref in entry.chunks:
                draft.write_around(offset, source.chunks[ref.id], entry.holes)
                offset += ref.size_bytes
            writer.finish(draft, entry)
    for entry in sorted(below, key=lambda entry: walk_key(entry.path), reverse=True):
        if entry.kind is Kind.DIRECTORY:
            writer.set_attributes(name + entry.path[len(source.root) :], entry)


@pytest.mark.parametrize("with_temp", [False, True])
def test_copies_an_odd_tree_exactly_and_again_over_itself(tmp_path: Path, with_temp: bool) -> None:
    build_odd_tree(tmp_path / "source")
    (tmp_path / "out").mkdir()
    (tmp_path / "temp").mkdir()
    source = TreeSource(tmp_path / "source")
    findings: list[Finding] = []
    writer = TreeWriter(tmp_path / "out", temp=os.fsencode(tmp_path / "temp") if with_temp else b"", report=findings.append)
    for _ in range(2):
        copy(source, writer, b"copy")
        assert list(compare_trees(tmp_path / "source", tmp_path / "out" / "copy", ignore_holes=False)) == []
    writer.sync()
    writer.close()
    assert findings == []
    assert os.listdir(tmp_path / "temp") == []
    assert os.listdir(tmp_path / "out") == ["copy"]


def file_entry(path: bytes, data: bytes = b"", mode: int = 0o644) -> Entry:
    return Entry(path=path, kind=Kind.FILE, mode=mode, size_bytes=len(data), mtime_ns=5)


def put(writer: TreeWriter, path: bytes, data: bytes) -> None:
    draft = writer.begin_file(path)
    draft.write(0, data)
    writer.finish(draft, file_entry(b"/" + path, data))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    return tmp_path / "root"


def test_a_planted_link_is_never_followed(root: Path) -> None:
    writer = TreeWriter(root)
    (root / "folder").symlink_to("../outside")
    attempts = [
        lambda: put(writer, b"folder/file", b"x"),
        lambda: writer.put_special(b"folder/fifo", Entry(path=b"/f", kind=Kind.FIFO, mode=0o600)),
        lambda: writer.ensure_folder(b"folder/deeper"),
        lambda: writer.ensure_folder(b"folder", replace=False),
    ]
    for attempt in attempts:
        with pytest.raises(Conflict):
            attempt()
    writer.remove(b"folder/file")
    assert writer.stat(b"folder/file") is None
    assert writer.ensure_folder(b"folder")
    put(writer, b"folder/file", b"inside")
    assert (root / "folder" / "file").read_bytes() == b"inside"
    assert os.listdir(root.parent / "outside") == []


def test_a_folder_replaced_by_a_link_while_open_keeps_writes_inside(root: Path) -> None:
    writer = TreeWriter(root)
    writer.ensure_folder(b"folder")
    put(writer, b"folder/one", b"1")
    (root / "folder").rename(root / "moved")
    (root / "folder").symlink_to("../outside")
    draft = writer.begin_file(b"folder/two")
    writer.finish(draft, file_entry(b"/two"))
    assert os.listdir(root.parent / "outside") == []
    assert sorted(os.listdir(root / "moved")) == ["one", "two"]


def test_a_file_that_is_a_link_is_replaced_and_its_target_untouched(root: Path) -> None:
    target = root.parent / "outside" / "precious"
    target.write_bytes(b"precious")
    (root / "file").symlink_to(target)
    put(TreeWriter(root), b"file", b"new")
    assert target.read_bytes() == b"precious"
    assert (root / "file").read_bytes() == b"new"
    assert not (root / "file").is_symlink()


def test_removing_a_tree_removes_links_not_their_targets(root: Path) -> None:
    outside = root.parent / "outside"
    (outside / "precious").write_bytes(b"precious")
    (root / "tree" / "deep" / "deeper").mkdir(parents=True)
    (root / "tree" / "deep" / "link").symlink_to(outside)
    (root / "tree" / "deep" / "deeper" / "file").write_bytes(b"x")
    writer = TreeWriter(root)
    writer.remove(b"tree")
    writer.remove(b"tree")
    assert os.listdir(root) == []
    assert (outside / "precious").exists()


@pytest.mark.parametrize("path", [b"../x", b"a/../../x", b"/etc/x", b"a//b", b".", b"a/.", b"nul\x00"])
def test_paths_that_lead_elsewhere_are_refused(root: Path, path: bytes) -> None:
    (root / "a").mkdir()
    with pytest.raises((ProtocolError, ValueError)):
        TreeWriter(root).begin_file(path)


def test_kinds_replace_each_other(root: Path) -> None:
    writer = TreeWriter(root)
    put(writer, b"x", b"file")
    assert writer.ensure_folder(b"x")
    put(writer, b"x/below", b"1")
    put(writer, b"x", b"file again")
    writer.ensure_folder(b"x")
    put(writer, b"x/below", b"1")
    writer.put_special(b"x", Entry(path=b"/x", kind=Kind.SYMLINK, mode=0o777, link_target=b"t"))
    assert os.readlink(root / "x") == "t"
    put(writer, b"y", b"y")
    writer.ensure_folder(b"x")
    writer.link(b"y", b"x")
    assert (root / "x").stat().st_ino == (root / "y").stat().st_ino
    writer.link(b"y", b"x")
    assert sorted(os.listdir(root)) == ["x", "y"]


def test_extra_attributes_are_removed_and_setuid_survives_the_owner(root: Path) -> None:
    (root / "file").write_bytes(b"")
    os.setxattr(root / "file", "user.extra", b"1")
    entry = Entry(path=b"/file", kind=Kind.FILE, mode=0o4755, uid=1000, gid=1000, mtime_ns=7)
    writer = TreeWriter(root)
    writer.set_attributes(b"file", entry)
    found = (root / "file").stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_mtime_ns) == (0o4755, 1000, 7)
    assert os.listxattr(root / "file") == []


def test_a_discarded_draft_leaves_nothing(root: Path) -> None:
    writer = TreeWriter(root)
    writer.discard(writer.begin_file(b"file"))
    assert os.listdir(root) == []


def test_many_folders_stay_within_the_open_limit(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    writer = TreeWriter(root)
    for number in range(400):
        writer.ensure_folder(b"d%d" % number)
        put(writer, b"d%d/file" % number, b"x")
    assert len(os.listdir("/proc/self/fd")) - before < 140
    writer.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_errors_are_typed(root: Path) -> None:
    assert isinstance(store_error(OSError(errno.ENOSPC, "full"), b"x"), NoSpace)
    assert isinstance(store_error(OSError(errno.ENOTDIR, "no"), b"x"), Conflict)
    assert type(store_error(OSError(errno.EIO, "broken"), b"x")) is StoreError
    with pytest.raises(StoreError):
        TreeWriter(root).begin_file(b"missing/file")
    assert store_error(OSError(errno.ENOSPC, "full"), b"x").hint


def _write_without_root(root: Path) -> None:
    os.setgid(65534)
    os.setuid(65534)
    findings: list[Finding] = []
    writer = TreeWriter(root, report=findings.append)
    for name in (b"one", b"two"):
        writer.finish(writer.begin_file(name), Entry(path=b"/" + name, kind=Kind.FILE, mode=0o4755, uid=0, mtime_ns=1))
    made = writer.put_special(b"dev", Entry(path=b"/dev", kind=Kind.CHARACTER_DEVICE, mode=0o600, device_number=259))
    writer.ensure_folder(b"closed")
    writer.set_attributes(b"closed", Entry(path=b"/closed", kind=Kind.DIRECTORY, mode=0o500, uid=65534, gid=65534))
    put(writer, b"closed/in", b"1")
    writer.set_attributes(b"closed", Entry(path=b"/closed", kind=Kind.DIRECTORY, mode=0o000, uid=65534, gid=65534))
    writer.remove(b"closed")
    assert [finding.code for finding in findings] == ["ownership-not-set", "not-created"]
    assert not made
    assert (root / "one").stat().st_mode & 0o7777 == 0o755


def test_without_root_owner_and_devices_become_findings(root: Path) -> None:
    """In a child that has given up root: ownership is said once, setuid is dropped with it, a device is left out."""
    if os.geteuid() != 0:
        pytest.skip("needs root to give up")
    root.chmod(0o777)
    for folder in [root.parent, *root.parents]:
        if not os.stat(folder).st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    assert run_in_child(_write_without_root, root) == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_data_ranges_cover_everything_once(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, 200), max_size=12)))
    holes = [Hole(a, b - a) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    start = data.draw(st.integers(0, 200))
    end = data.draw(st.integers(start, 220))
    at = start
    for low, high, is_hole in data_ranges(start, end, holes):
        assert low == at
        assert low < high
        inside = [any(h.offset <= x < h.offset + h.size_bytes for h in holes) for x in range(low, high)]
        assert inside == [is_hole] * (high - low)
        at = high
    assert at == end
