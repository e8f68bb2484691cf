"""Metadata of single paths, against what the system's own tools say."""

from __future__ import annotations

import os
import socket
import stat

import pytest

from holdfast.core.errors import SourceError
from holdfast.host import metadata
from holdfast.host.metadata import Names, open_for_reading, read_entry, read_holes
from holdfast.model.entry import Hole, Kind

NAMES = Names()


def _path(tmp_path, name="file"):
    return os.fsencode(tmp_path / name)


def test_a_plain_file(tmp_path):
    path = _path(tmp_path)
    (tmp_path / "file").write_bytes(b"12345")
    os.chmod(path, 0o4751)
    os.utime(path, ns=(1, 1_234_567_890_123_456_789))
    entry, status = read_entry(path, NAMES), os.lstat(path)
    assert (entry.kind, entry.mode, entry.size_bytes, entry.mtime_ns) == (Kind.FILE, 0o4751, 5, 1_234_567_890_123_456_789)
    assert (entry.inode, entry.device, entry.links, entry.ctime_ns) == (status.st_ino, status.st_dev, 1, status.st_ctime_ns)
    assert (entry.user, entry.group) == (NAMES.user(os.getuid()), NAMES.group(os.getgid()))
    assert entry.chunks == entry.xattrs == entry.holes == ()


def test_every_kind(tmp_path):
    os.mkdir(_path(tmp_path, "dir"))
    os.mkfifo(_path(tmp_path, "fifo"))
    os.symlink(b"to-\xff", _path(tmp_path, "link"))
    assert read_entry(_path(tmp_path, "dir"), NAMES).kind is Kind.DIRECTORY
    assert read_entry(_path(tmp_path, "dir"), NAMES).links == 1
    assert read_entry(_path(tmp_path, "fifo"), NAMES).kind is Kind.FIFO
    link = read_entry(_path(tmp_path, "link"), NAMES)
    assert (link.kind, link.link_target, link.size_bytes) == (Kind.SYMLINK, b"to-\xff", 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_device_nodes(tmp_path):
    path = _path(tmp_path, "null")
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    entry = read_entry(path, NAMES)
    assert (entry.kind, entry.device_number) == (Kind.CHARACTER_DEVICE, os.makedev(1, 3))


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(SourceError) as refused:
            read_entry(_path(tmp_path, "s"), NAMES)
    assert refused.value.hint


def test_xattrs_in_order_by_path_and_by_descriptor(tmp_path):
    path = _path(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    os.setxattr(path, b"user.b\xff", b"2")
    os.setxattr(path, b"user.a", b"\x00")
    expected = [(b"user.a", b"\x00"), (b"user.b\xff", b"2")]
    assert [(x.name, x.value) for x in read_entry(path, NAMES).xattrs] == expected
    descriptor = open_for_reading(path)
    try:
        assert [(x.name, x.value) for x in read_entry(path, NAMES, descriptor=descriptor).xattrs] == expected
    finally:
        os.close(descriptor)


def test_an_unreadable_attribute_is_a_finding(tmp_path, monkeypatch):
    path = _path(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    os.setxattr(path, b"user.a", b"1")

    def refuse(*_args, **_named):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(metadata.os, "getxattr", refuse)
    problems = []
    assert read_entry(path, NAMES, on_problem=problems.append).xattrs == ()
    assert [problem.code for problem in problems] == ["xattr-unreadable"]
    monkeypatch.setattr(metadata.os, "listxattr", refuse)
    read_entry(path, NAMES, on_problem=problems.append)
    assert len(problems) == 2


def test_holes(tmp_path):
    path = _path(tmp_path)
    with open(path, "wb") as file:
        file.seek(1 << 20)
        file.write(b"x" * 4096)
        file.truncate(2 << 20)
    holes = read_entry(path, NAMES).holes
    assert holes == (Hole(0, 1 << 20), Hole((1 << 20) + 4096, (1 << 20) - 4096))
    with open(path, "rb") as file:
        assert read_holes(file.fileno(), 2 << 20) == holes


def test_a_file_without_holes_is_not_asked(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    monkeypatch.setattr(os, "lseek", None)
    assert read_entry(_path(tmp_path), NAMES).holes == ()


def test_opening_never_follows_a_link(tmp_path):
    os.symlink("file", _path(tmp_path, "link"))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        open_for_reading(_path(tmp_path, "link"))


def test_opening_falls_back_without_noatime(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    really_open = os.open

    def strict(path, flags):
        if flags & os.O_NOATIME:
            raise PermissionError(1, "Operation not permitted")
        return really_open(path, flags)

    monkeypatch.setattr(metadata.os, "open", strict)
    os.close(open_for_reading(_path(tmp_path)))


def test_unknown_ids_have_no_names():
    assert Names().user(4_000_000_000) == ""
    assert Names().group(4_000_000_000) == ""
