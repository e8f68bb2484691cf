"""A zip archive as a stream, by the standard library's `zipfile` on something that cannot seek: sizes come behind the content, zip64 where
a file or the archive needs it.

Zip has no place for some things: hard links become files of their own; FIFOs and devices are left out; a name that is not UTF-8, or holds
what other systems take for a separator, is spelled otherwise. What was left out or renamed is told in a last member. A tar keeps all.
"""

from __future__ import annotations

import hashlib
import re
import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import IO

from holdfast.model.entry import Kind, display_path
from holdfast.operations.download.members import Member
from holdfast.operations.download.pieces import Piece

NOTES = "holdfast-notes.txt"
_MOST_NOTES = 10_000
_BATCH_BYTES = 256 << 10
_FIRST, _LAST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Backslash and colon separate on other systems.
_ODD = re.compile(rb"[\x00-\x1f\x7f\\:]|[^\x00-\x7f]+")
_TYPES = {Kind.FILE: stat.S_IFREG, Kind.DIRECTORY: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK}
# Level 1 is ten times as fast as level 9 and within a tenth of its size; level 0 puts frames around what does not get smaller.
_FAST, _NOT_AT_ALL = 1, 0


class _Sink:
    """What `zipfile` writes to: no `tell`, no `seek`."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._blocks.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        block = b"".join(self._blocks)
        self._blocks, self.size = [], 0
        return block


def zip_of(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Blocks of any length. Raises what `pieces` raises."""
    sink, notes = _Sink(), _Notes()
    archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED)  # type: ignore[call-overload]
    try:
        yield from _members(archive, sink, notes, pieces)
        if notes.text:
            archive.writestr(NOTES, notes.text)
        archive.close()
    finally:
        # Of one that was broken off the list at the end must not be written, by the collector neither.
        archive.fp = None
    yield sink.taken()


def _members(archive: zipfile.ZipFile, sink: _Sink, notes: _Notes, pieces: Iterable[Piece]) -> Iterator[bytes]:
    target: IO[bytes] | None = None
    for piece in pieces:
        if piece.first:
            target = _begin(archive, piece, notes)
        for data in piece.data:
            if target is not None:
                target.write(data)
            if sink.size >= _BATCH_BYTES:
                yield sink.taken()
        if piece.last and target is not None:
            target.close()
            target = None
        if sink.size >= _BATCH_BYTES:
            yield sink.taken()


def _begin(archive: zipfile.ZipFile, piece: Piece, notes: _Notes) -> IO[bytes] | None:
    """Where the content goes; None = it has none, or zip has no such thing."""
    info = _info_of(piece, notes)
    if info is None:
        return None
    if info.is_dir():
        info.CRC = info.compress_size = 0
        archive.mkdir(info)
        return None
    target = archive.open(info, "w", force_zip64=info.file_size > zipfile.ZIP64_LIMIT // 2)
    if piece.member.entry.kind is Kind.SYMLINK:
        target.write(piece.member.entry.link_target)
    return target


class _Notes:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def add(self, line: str) -> None:
        if len(self._lines) < _MOST_NOTES:
            self._lines.append(line)
        else:
            self._more += 1

    @property
    def text(self) -> str:
        if not self._lines:
            return ""
        rest = [f"and {self._more} more"] if self._more else []
        return "\n".join(["What this archive could not hold as it was (a tar can):", *self._lines, *rest, ""])


def _info_of(piece: Piece, notes: _Notes) -> zipfile.ZipInfo | None:
    """None = zip has no such thing."""
    entry = piece.member.entry
    if entry.kind not in _TYPES:
        notes.add(f"left out: {display_path(piece.member.name)} ({entry.kind.value})")
        return None
    is_folder = entry.kind is Kind.DIRECTORY
    info = zipfile.ZipInfo(_name_of(piece.member, notes) + ("/" if is_folder else ""), _dos_time(entry.mtime_ns))
    info.create_system = 3
    info.external_attr = (_TYPES[entry.kind] | entry.mode) << 16 | (0x10 if is_folder else 0)
    info.compress_type = zipfile.ZIP_STORED if is_folder else zipfile.ZIP_DEFLATED
    info._compresslevel = _FAST if piece.shrinks else _NOT_AT_ALL  # type: ignore[attr-defined]
    info.file_size = piece.member.content_bytes
    seconds = entry.mtime_ns // 1_000_000_000
    if -(2**31) <= seconds < 2**31:
        # "UT", the time in UTC by the second: what Info-ZIP writes and others read.
        info.extra = struct.pack("<HHBi", 0x5455, 5, 1, seconds)
    return info


def _name_of(member: Member, notes: _Notes) -> str:
    """As it is where any system takes it; else with `%XX` for what is odd, and a mark so that it meets no other name."""
    name = member.name
    try:
        text = name.decode()
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable() and "\\" not in text and ":" not in text:
        return text
    spelled = _ODD.sub(_spell, name).decode()
    stem = f"{spelled}~{hashlib.sha256(name).hexdigest()[:8]}"
    notes.add(f"renamed: {display_path(name)} is {stem}")
    return stem


def _spell(match: re.Match[bytes]) -> bytes:
    odd = match[0]
    if odd[0] > 0x7F:
        try:
            if odd.decode().isprintable():
                return odd
        except UnicodeDecodeError:
            pass
    return b"".join(b"%%%02X" % byte for byte in odd)


def _dos_time(mtime_ns: int) -> tuple[int, int, int, int, int, int]:
    try:
        moment = _EPOCH + timedelta(microseconds=mtime_ns // 1_000)
    except OverflowError:
        moment = _FIRST
    moment = min(max(moment, _FIRST), _LAST)
    return (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
