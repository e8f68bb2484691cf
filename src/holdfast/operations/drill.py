"""A drill: some files of a point are restored into a scratch folder, read back from the disk, and compared with what the point records.

The comparison shares nothing with the restore but the point's own listing: it opens what lies there and hashes it, past the page cache.
Compared are kind, size, content and time of change of files, and targets of links. Owners are not: nobody but root can set them.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from holdfast.core.clock import Clock
from holdfast.core.errors import Cancelled, NoSpace
from holdfast.core.private_files import make_private_folder
from holdfast.core.units import format_size
from holdfast.host.disk import free_bytes
from holdfast.host.tree_writer.removal import remove_tree
from holdfast.model.drills import SampleSize
from holdfast.model.entry import Entry, Kind, display_path
from holdfast.model.jobs import Finding, Severity
from holdfast.model.orders import RestoreRequest
from holdfast.model.reading import PointReader
from holdfast.operations.restore import Findings, restore

RESERVE_BYTES = 512 << 20
"""So much of the disk stays free, whatever a drill would like to restore."""
MOST_FILES = 100_000
"""A sample that is not everything has no more."""
_WINDOW_BYTES = 1 << 20
_PERMISSIONS = 0o7777
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

CheckScript = Callable[[Path], None]
"""The user's own check of the folder with what was restored. Raises `HookFailed`."""


@dataclass(frozen=True, kw_only=True)
class DrillOrder:
    """`seed` chooses the sample. `free`: so many bytes may be written below `folder`, which must not exist. `files` and `size_bytes`
    are the point's."""

    sample: SampleSize
    seed: bytes
    folder: Path
    free: int
    files: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Around:
    """`tell` hears phase, done files, done bytes and total bytes, and may raise `Cancelled`; `cancelled` is asked often."""

    clock: Clock
    tell: Callable[[str, int, int, int], None]
    cancelled: Callable[[], bool]
    wait: Callable[[float], object]
    check: CheckScript | None = None


@dataclass(frozen=True, kw_only=True)
class DrillResult:
    """`files` were restored and are what they should be, and held `size_bytes`. `findings`: each that is not, and lost folders. `note`: why
    fewer were tried than asked for."""

    files: int
    size_bytes: int
    findings: tuple[Finding, ...]
    note: str = ""

    @property
    def proven(self) -> bool:
        return not self.findings


@contextmanager
def scratch_folder(place: Path, name: str) -> Iterator[Path]:
    """A private folder for what is restored, gone with all in it at the end whatever happens; what a kill leaves is for `sweep_scratch`."""
    folder = make_private_folder(place) / name
    try:
        yield folder
    finally:
        _remove(place, folder.name)


def sweep_scratch(place: Path) -> int:
    """Removes what drills that were killed left; gives how many. Nothing of it may be in use."""
    with suppress(FileNotFoundError):
        left = os.listdir(place)
        for name in left:
            _remove(place, name)
        return len(left)
    return 0


def scratch_bytes(place: Path) -> int:
    """How much a drill may write there."""
    return max(0, free_bytes(make_private_folder(place)) - RESERVE_BYTES)


def run_drill(reader: PointReader, order: DrillOrder, around: Around) -> DrillResult:
    """Raises `NoSpace` when not even one file has room, `RepositoryDamaged` when nothing can be listed, `HookFailed` of the check."""
    chosen = choose_files(reader, order)
    lost: list[Finding] = [*chosen.lost]
    if not chosen.paths and not chosen.is_everything:
        return DrillResult(files=0, size_bytes=0, findings=tuple(lost), note=chosen.note)
    result = restore(
        reader,
        RestoreRequest(target=str(order.folder)),
        chosen.paths,
        clock=around.clock,
        check_write=lambda _path: None,
        on_progress=lambda files, done, total: around.tell("restoring", files, done, total),
        cancelled=around.cancelled,
        wait=around.wait,
    )
    damage = {finding.path: finding for finding in result.findings if finding.severity is Severity.ERROR}
    compared = _compare(reader, chosen.paths, order.folder, around)
    wrong = {finding.path: damage.pop(finding.path, finding) for finding in compared.findings}
    findings = (*lost, *(finding for finding in damage.values() if finding not in lost), *wrong.values())
    if around.check is not None:
        around.tell("check", compared.files, compared.size_bytes, compared.size_bytes)
        around.check(order.folder)
    return DrillResult(files=compared.files, size_bytes=compared.size_bytes, findings=findings, note=chosen.note)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """`paths` empty and `is_everything` = all of the point."""

    paths: tuple[bytes, ...]
    is_everything: bool
    note: str
    lost: tuple[Finding, ...] = ()


def choose_files(reader: PointReader, order: DrillOrder) -> Chosen:
    """A sample that fits into the scratch: each file has its lot, drawn by the seed and its path, and the lowest lots are taken.

    Raises `NoSpace` when there is no file that fits.
    """
    if order.sample.is_everything and 0 < order.size_bytes <= order.free:
        return Chosen(paths=(), is_everything=True, note="")
    wanted = min(MOST_FILES, order.sample.files or max(1, round((order.files or MOST_FILES) * order.sample.ratio)))
    findings = Findings()
    lots: list[tuple[int, int, bytes]] = []
    seen = 0
    for listed in reader.listing(()):
        for folder in listed.lost:
            findings.add(_lost_folder(folder.path, folder.reason))
        for entry in listed.entries:
            if entry.kind is Kind.DIRECTORY:
                continue
            seen += 1
            # The highest of those that were taken goes when a lower one comes: a heap of negated lots.
            lot = (-int.from_bytes(sha256(order.seed + entry.path).digest()[:8]), entry.size_bytes, entry.path)
            if len(lots) < wanted:
                heapq.heappush(lots, lot)
            else:
                heapq.heappushpop(lots, lot)
    paths: list[bytes] = []
    left_bytes = order.free
    for _, size_bytes, path in sorted(lots, reverse=True):
        if size_bytes <= left_bytes:
            left_bytes -= size_bytes
            paths.append(path)
    if lots and not paths:
        raise NoSpace(
            f"the scratch folder has room for {format_size(order.free)}, and none of the chosen files is that small",
            hint=f"make room on the disk of the node's home; {format_size(RESERVE_BYTES)} of it always stay free",
        )
    note = ""
    if len(paths) < len(lots):
        note = f"{len(paths):,} of {len(lots):,} chosen files were tried: the scratch folder has room for {format_size(order.free)}"
    return Chosen(paths=tuple(paths), is_everything=False, note=note, lost=tuple(findings.kept))


@dataclass
class _Compared:
    files: int
    size_bytes: int
    findings: list[Finding]


def _compare(reader: PointReader, paths: Sequence[bytes], folder: Path, around: Around) -> _Compared:
    found = Findings()
    done = _Compared(0, 0, found.kept)
    root = os.fsencode(folder)
    for listed in reader.listing(tuple(paths)):
        for entry in listed.entries:
            if around.cancelled():
                raise Cancelled("the drill was cancelled", hint="nothing was recorded; start it again when it suits")
            what = difference(root + entry.path, entry)
            if what:
                message = f"restored on trial, it was not what the point records: {what}"
                found.add(_finding("drill-differs", message, entry.path))
            elif entry.kind is not Kind.DIRECTORY:
                done.files += 1
                done.size_bytes += entry.size_bytes
        around.tell("comparing", done.files, done.size_bytes, 0)
    return done


def difference(path: bytes, entry: Entry) -> str:
    """What is not as the entry says; empty = nothing. Devices and pipes, which not everybody may make, are not looked for."""
    if entry.kind in (Kind.FIFO, Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE):
        return ""
    try:
        if entry.kind is Kind.SYMLINK:
            return "" if os.readlink(path) == entry.link_target else "target of the link"
        if entry.kind is Kind.DIRECTORY:
            return "" if stat.S_ISDIR(os.lstat(path).st_mode) else "kind"
        return _file_difference(path, entry)
    except FileNotFoundError:
        return "it is not there"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def _file_difference(path: bytes, entry: Entry) -> str:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return "kind"
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC) if os.access(path, os.R_OK) else _open_closed(path, entry)
    try:
        found = os.fstat(fd)
        if found.st_size != sum(ref.size_bytes for ref in entry.chunks):
            return "size"
        # What was just written would come out of memory otherwise, whatever the disk made of it.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        if not _same_content(fd, entry):
            return "content"
        return "" if found.st_mtime_ns == entry.mtime_ns else "time of change"
    finally:
        os.close(fd)


def _open_closed(path: bytes, entry: Entry) -> int:
    """Of a file that its owner may not read: it is ours, and goes in a moment."""
    os.chmod(path, entry.mode & _PERMISSIONS | 0o400)
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _same_content(fd: int, entry: Entry) -> bool:
    for ref in entry.chunks:
        digest, left = sha256(), ref.size_bytes
        while left:
            data = os.read(fd, min(left, _WINDOW_BYTES))
            if not data:
                return False
            digest.update(data)
            left -= len(data)
        if digest.digest() != ref.id:
            return False
    return True


def _lost_folder(path: bytes, reason: str) -> Finding:
    return _finding("folder-lost", f"what is in this folder cannot be listed: {reason}", path)


def _finding(code: str, message: str, path: bytes) -> Finding:
    return Finding(
        code=code,
        severity=Severity.ERROR,
        message=message,
        path=display_path(path),
        hint="check the repository; another copy of this point may be whole",
    )


def _remove(place: Path, name: str) -> None:
    fd = os.open(place, _FOLDER)
    try:
        remove_tree(fd, os.fsencode(name))
    finally:
        os.close(fd)
