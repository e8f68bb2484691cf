"""What stands in a mirror that its records do not know: in a folder that is taken over, or changed there by somebody else.

A file is read once, when the source puts its path and what stands there is not what this mirror left; each chunk of it that the source
could name then need not travel. First the chunks the source names are looked for where they would be; from the first that is not there on,
the rest is cut as a source cuts, so that also what has shifted is found. In a folder that is taken over a file that is missing is looked
for under other names: by size and time, or a large one, of which no more is known at first, by its first chunk.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence

from holdfast.capture.chunking import COARSE, FINE, Cutter, choose
from holdfast.core.errors import HoldfastError
from holdfast.mirror.rows import Fingerprint
from holdfast.mirror.target import Target
from holdfast.model.change import Part
from holdfast.model.entry import ChunkRef, Entry, walk_key

_WINDOW_BYTES = 16 << 20
# Files from this size on travel in parts: their size and time come after their chunks.
_LARGE_BYTES = 4 << 20


class Survey:
    """Of one commit on its way. `adopting`: nothing in the mirror is known."""

    def __init__(self, target: Target, *, adopting: bool) -> None:
        self._target = target
        self._records = target.records
        self._adopting = adopting
        self._indexed = False
        self._found: dict[bytes, int] = {}
        self._ended: set[bytes] = set()

    def found(self, key: bytes) -> int | None:
        """The content that stands at this place, if it was surveyed."""
        return self._found.get(key)

    def file(self, entry: Entry) -> None:
        """Before its chunks are asked for."""
        if entry.chunks and not self._look(entry.path, 0, entry.chunks) and self._adopting:
            self._index()
            for relative in self._records.strays(entry.size_bytes, entry.mtime_ns):
                if self._read(relative, 0, entry.chunks):
                    return

    def part(self, part: Part) -> None:
        if part.chunks and not self._look(part.path, part.offset, part.chunks) and self._adopting and not part.offset:
            self._index()
            relative = self._records.stray_by_first_chunk(part.chunks[0].id)
            if relative is not None:
                self._read(relative, 0, part.chunks, to_the_end=True)

    def _look(self, path: bytes, offset: int, refs: Sequence[ChunkRef]) -> bool:
        """True when a file stands at this place, or nothing needs to be looked for."""
        key, relative = walk_key(path), self._target.relative(path)
        if offset and key not in self._found:
            return True
        found = self._target.writer.stat(relative)
        if found is None or not stat.S_ISREG(found.st_mode):
            return self._records.entry(key) is not None
        if key not in self._found and self._is_known(key, found):
            return True
        self._read(relative, offset, refs)
        return True

    def _is_known(self, key: bytes, found: os.stat_result) -> bool:
        recorded = self._records.entry(key)
        known = [] if recorded is None or recorded.file is None else [self._records.file(recorded.file)]
        # Surveyed by a commit that did not come to its end.
        known += [content for content in self._records.files_at(key) if content.placed]
        return any(content is not None and content.fingerprint.is_like(found) for content in known)

    def _read(self, relative: bytes, offset: int, refs: Sequence[ChunkRef], *, to_the_end: bool = False) -> bool:
        """Notes which chunks this file has; whether any of these. `to_the_end`: what follows them is not told of later."""
        key = self._target.key_of(relative)
        if key in self._ended:
            return False
        try:
            fd = self._target.writer.open_file(relative)
        except OSError:
            return False
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                return False
            rows, is_equal = [], True
            for ref in refs:
                is_equal = hashlib.sha256(os.pread(fd, ref.size_bytes, offset)).digest() == ref.id
                if not is_equal:
                    break
                rows.append((ref.id, offset, ref.size_bytes))
                offset += ref.size_bytes
            if to_the_end or not is_equal:
                self._ended.add(key)
                rows += _cut(fd, offset, choose("auto", refs))
        except OSError:
            # What cannot be read is no loss: it travels.
            return False
        finally:
            os.close(fd)
        n = self._found.get(key)
        if n is None:
            n = self._found[key] = self._records.new_file(key, Fingerprint.of(found))
            self._records.note_surveyed(n)
        self._records.add_chunks(n, rows)
        return bool({row[0] for row in rows} & {ref.id for ref in refs})

    def _index(self) -> None:
        """Notes all files of the folder by what could tell them under another name."""
        if self._indexed:
            return
        self._indexed = True
        self._records.clear_strays()
        folders = [self._target.base]
        while folders:
            folder = folders.pop()
            rows = []
            for name, is_folder in self._names(folder):
                relative = folder + b"/" + name
                if is_folder:
                    folders.append(relative)
                    continue
                found = self._target.writer.stat(relative)
                if found is not None and stat.S_ISREG(found.st_mode) and found.st_size:
                    firsts = self._first_chunks(relative) if found.st_size >= _LARGE_BYTES else (None, None)
                    rows.append((relative, found.st_size, found.st_mtime_ns, *firsts))
            self._records.add_strays(rows)

    def _names(self, folder: bytes) -> list[tuple[bytes, bool]]:
        try:
            return self._target.writer.names(folder)
        except HoldfastError:
            return []

    def _first_chunks(self, relative: bytes) -> tuple[bytes | None, bytes | None]:
        """As a source cuts it: coarse, fine."""
        try:
            fd = self._target.writer.open_file(relative)
        except OSError:
            return None, None
        try:
            start = os.pread(fd, COARSE.most, 0)
            ends = [next(iter(cutter.cut(start, final=True)), 0) for cutter in (COARSE, FINE)]
            return hashlib.sha256(start[: ends[0]]).digest(), hashlib.sha256(start[: ends[1]]).digest()
        except OSError:
            return None, None
        finally:
            os.close(fd)


def _cut(fd: int, start: int, cutter: Cutter) -> Iterator[tuple[bytes, int, int]]:
    """Chunks from here to the end: (id, offset, size). Raises `OSError`."""
    window = b""
    while True:
        more = os.pread(fd, _WINDOW_BYTES - len(window), start + len(window))
        window += more
        is_last = len(window) < _WINDOW_BYTES
        done = 0
        for end in cutter.cut(window, final=is_last):
            yield hashlib.sha256(memoryview(window)[done:end]).digest(), start + done, end - done
            done = end
        if is_last:
            return
        start, window = start + done, window[done:]
