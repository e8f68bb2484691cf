"""The bytes of files: which chunks a read needs, fetched in runs, verified, kept for a while; what comes next is fetched ahead.

A chunk that is damaged is an error of the reads that need it, never other bytes.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate

from holdfast.core.errors import HoldfastError, NotReachable, ProtocolError, RepositoryDamaged
from holdfast.delivery.unpack import content_of
from holdfast.model.entry import ChunkRef, Entry, Kind, display_path, parent_of
from holdfast.operations.mount.point_session import TURN_S
from holdfast.operations.mount.point_tree import PointTree

logger = logging.getLogger(__name__)

KEPT_BYTES = 64 << 20
# Content on its way ahead of somebody who reads a file from front to end, and how much of it is asked for at once.
AHEAD_BYTES = 16 << 20
RUN_BYTES = 4 << 20
RUN_IDS = 2_000
# A file up to this size brings its neighbours: whoever reads one small file of a folder often reads the next.
SMALL_BYTES = 1 << 20
_NEIGHBOURS_BYTES = 256 << 10
# The kernel reads ahead itself, with several requests at a time: they may come a little out of order.
_OUT_OF_ORDER_BYTES = 2 << 20
_AHEAD_THREADS = 2
_OPEN_FILES = 1_000


@dataclass
class OpenFile:
    """A file that is being read. `starts`: the offset of each chunk. `expected`: where a reader from front to end would go on, who began
    at `began`; up to `ahead` its chunks were asked for."""

    tree: PointTree
    entry: Entry
    starts: Sequence[int] = ()
    expected: int = 0
    began: int = 0
    ahead: int = 0

    def span(self, offset: int, end: int) -> tuple[int, int]:
        """The numbers of the first chunk of a range, and of the one behind its last."""
        return bisect_right(self.starts, offset) - 1, bisect_right(self.starts, end - 1)


@dataclass
class _Coming:
    """Chunks on their way. `done` is set when all of them have come or are lost."""

    done: threading.Event = field(default_factory=threading.Event)
    plain: dict[bytes, bytes] = field(default_factory=dict)
    lost: dict[bytes, str] = field(default_factory=dict)
    failure: HoldfastError | None = None


class Content:
    """Thread-safe. `close` ends the threads that fetch ahead."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._guard = threading.Lock()
        self._files: OrderedDict[tuple[int, bytes], OpenFile] = OrderedDict()
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._coming: dict[bytes, _Coming] = {}
        self._last_folder: tuple[int, bytes] = (0, b"")
        self._ahead = ThreadPoolExecutor(_AHEAD_THREADS, "mount-ahead")

    def close(self) -> None:
        self._ahead.shutdown(wait=False, cancel_futures=True)

    def read(self, tree: PointTree, entry: Entry, offset: int, size: int) -> bytes:
        """Less than `size` only at the file's end. Raises `RepositoryDamaged` where a chunk is lost, and what the session raises."""
        file = self._opened(tree, entry)
        end = min(offset + size, entry.size_bytes)
        if offset >= end:
            return b""
        first, behind = file.span(offset, end)
        refs = entry.chunks[first:behind]
        self._look_ahead(file, offset, end, behind)
        plain = self._chunks(tree, parent_of(entry.path), [ref.id for ref in refs], self._neighbours(file))
        pieces = [plain[ref.id] for ref in refs]
        pieces[-1] = pieces[-1][: end - file.starts[behind - 1]]
        pieces[0] = pieces[0][offset - file.starts[first] :]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _opened(self, tree: PointTree, entry: Entry) -> OpenFile:
        key = (id(tree), entry.path)
        with self._guard:
            found = self._files.get(key)
            if found is not None and found.entry is entry:
                return found
        file = OpenFile(tree, entry, _starts(entry))
        with self._guard:
            self._files[key] = file
            if len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)
        return file

    def _look_ahead(self, file: OpenFile, offset: int, end: int, behind: int) -> None:
        """Who goes on where he was is a reader from front to end: the longer he does, the more is fetched ahead of him."""
        entry = file.entry
        if abs(offset - file.expected) > _OUT_OF_ORDER_BYTES:
            file.began = file.ahead = offset
        file.expected = end
        window = min(AHEAD_BYTES, end - file.began)
        if entry.size_bytes <= SMALL_BYTES or file.ahead - end > window // 2:
            return
        first = max(behind, bisect_left(file.starts, file.ahead))
        stop = bisect_left(file.starts, end + window)
        file.ahead = end + window
        for run in _runs(entry.chunks[first:stop]):
            self._send_ahead(file.tree, parent_of(entry.path), run)

    def _send_ahead(self, tree: PointTree, folder: bytes, ids: Sequence[bytes]) -> None:
        with self._guard:
            coming = self._take(ids)
        if coming is not None:
            self._ahead.submit(self._fetch, tree, folder, *coming)

    def _neighbours(self, file: OpenFile) -> list[bytes]:
        """Chunks of the small files that come next in the folder, more of them for who has read here before."""
        entry = file.entry
        if entry.size_bytes > SMALL_BYTES:
            return []
        folder = parent_of(entry.path)
        place = (id(file.tree), folder)
        with self._guard:
            if all(ref.id in self._kept for ref in entry.chunks):
                return []
            left = RUN_BYTES if place == self._last_folder else _NEIGHBOURS_BYTES
            self._last_folder = place
        found: list[bytes] = []
        passed = False
        for other in file.tree.children(folder).values():
            passed = passed or other.path == entry.path
            if passed and other.kind is Kind.FILE and other.size_bytes <= SMALL_BYTES:
                left -= other.size_bytes
                found += [ref.id for ref in other.chunks]
                if left < 0 or len(found) >= RUN_IDS:
                    break
        return found

    def _chunks(self, tree: PointTree, folder: bytes, ids: Sequence[bytes], also: Sequence[bytes]) -> dict[bytes, bytes]:
        """The plain bytes of each; `also` are fetched with them where they must be fetched at all."""
        plain: dict[bytes, bytes] = {}
        with self._guard:
            missing = [chunk for chunk in ids if not self._is_kept(chunk, plain) and chunk not in self._coming]
            mine = self._take([*missing, *also]) if missing else None
            waits = [self._coming[chunk] for chunk in ids if chunk not in plain]
        if mine is not None:
            self._fetch(tree, folder, *mine)
        for coming in {id(each): each for each in waits}.values():
            if not coming.done.wait(2 * TURN_S):
                raise NotReachable("the repository's owner takes too long to answer", hint="see its log, and how busy it is")
            if coming.failure is not None:
                raise coming.failure
            plain.update(coming.plain)
        if lost := next((chunk for chunk in ids if chunk not in plain), None):
            reasons = [coming.lost[lost] for coming in waits if lost in coming.lost]
            raise RepositoryDamaged(reasons[0] if reasons else f"chunk {lost.hex()} cannot be had")
        return plain

    def _is_kept(self, chunk: bytes, plain: dict[bytes, bytes]) -> bool:
        found = self._kept.get(chunk)
        if found is None:
            return False
        self._kept.move_to_end(chunk)
        plain[chunk] = found
        return True

    def _take(self, ids: Sequence[bytes]) -> tuple[_Coming, list[bytes]] | None:
        """Those nobody has fetched or fetches now; from here on whoever wants them waits."""
        mine = [chunk for chunk in dict.fromkeys(ids) if chunk not in self._kept and chunk not in self._coming]
        if not mine:
            return None
        coming = _Coming()
        self._coming.update(dict.fromkeys(mine, coming))
        return coming, mine

    def _fetch(self, tree: PointTree, folder: bytes, coming: _Coming, ids: Sequence[bytes]) -> None:
        """Never raises: a failure is for those who wait."""
        try:
            payloads, lost = tree.session.chunks(folder, ids)
            coming.lost.update((one.id, one.reason) for one in lost)
            for payload in payloads:
                try:
                    coming.plain[payload.id] = content_of(payload)
                except ProtocolError as error:
                    coming.lost[payload.id] = error.message
        except HoldfastError as error:
            coming.failure = error
        except Exception as error:  # whoever waits for these chunks must not wait for ever
            logger.exception("a fetch failed", extra={"facts": {"folder": display_path(folder)}})
            coming.failure = ProtocolError(f"{type(error).__name__}: {error}")
        finally:
            with self._guard:
                for chunk in ids:
                    self._coming.pop(chunk, None)
                self._keep(coming.plain)
            coming.done.set()

    def _keep(self, plain: dict[bytes, bytes]) -> None:
        for chunk, data in plain.items():
            if chunk not in self._kept:
                self._kept[chunk] = data
                self._size += len(data)
        while self._size > self._kept_bytes and self._kept:
            _, gone = self._kept.popitem(last=False)
            self._size -= len(gone)


def _starts(entry: Entry) -> Sequence[int]:
    """Raises `RepositoryDamaged` when the chunks do not make up the file: one of them is in no index, or the tree is wrong."""
    starts = [0, *accumulate(ref.size_bytes for ref in entry.chunks)]
    total = starts.pop()
    if total != entry.size_bytes or not all(ref.size_bytes for ref in entry.chunks):
        raise RepositoryDamaged(f"{display_path(entry.path)} is damaged: its chunks hold {total} of {entry.size_bytes} bytes")
    return starts


def _runs(refs: Sequence[ChunkRef]) -> Iterator[list[bytes]]:
    run: list[bytes] = []
    size = 0
    for ref in refs:
        run.append(ref.id)
        size += ref.size_bytes
        if size >= RUN_BYTES or len(run) >= RUN_IDS:
            yield run
            run, size = [], 0
    if run:
        yield run
