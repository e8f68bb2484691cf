"""The stream contract of `model.change`, held against what a sender really sends.

Two of its rules protect others than the sender: a put may only name chunks this sender offered in this commit (else a rogue source could
read other people's chunks by naming their ids), and a put must lie in the classification's roots.
"""

from __future__ import annotations

from holdfast.core.errors import ProtocolError
from holdfast.model.change import Begin, Put, Segment
from holdfast.model.entry import Entry, Kind, display_path, is_below, walk_key

MAX_SEGMENT_BYTES = 64 * 1024 * 1024
_MAX_AHEAD_CHUNKS = 4_000_000


class StreamCheck:
    """One per commit. `check` raises `ProtocolError` at the first segment that breaks the contract."""

    def __init__(self, begin: Begin) -> None:
        self._roots = begin.roots
        # What the paths of the stretch we are in begin with: a root's own, so that a path costs one comparison.
        self._below = b"\x00"
        self._number = -1
        self._key = b""
        self._started = False
        self._ahead: dict[bytes, set[bytes]] = {}
        self._ahead_chunks = 0

    def check(self, segment: Segment) -> None:
        if segment.number <= self._number:
            raise ProtocolError(f"segment {segment.number} after segment {self._number}")
        self._number = segment.number
        if not segment.changes and not segment.parts:
            raise ProtocolError(f"segment {segment.number} is empty")
        offered = {ref.id for ref in segment.offered}
        if len(offered) != len(segment.offered):
            raise ProtocolError(f"segment {segment.number} offers a chunk twice")
        if sum(ref.size_bytes for ref in segment.offered) > MAX_SEGMENT_BYTES:
            raise ProtocolError(f"segment {segment.number} offers more than {MAX_SEGMENT_BYTES} bytes")
        self._take_parts(segment, offered)
        last, started = self._key, self._started
        for change in segment.changes:
            path = change.entry.path if isinstance(change, Put) else change.path
            key = walk_key(path)
            if key <= last and started:
                raise ProtocolError(f"{display_path(path)} is out of walk order")
            last, started = key, True
            if isinstance(change, Put):
                if not path.startswith(self._below):
                    self._check_place(change.entry)
                self._check_content(change.entry, offered)
        self._key, self._started = last, started

    def _take_parts(self, segment: Segment, offered: set[bytes]) -> None:
        for part in segment.parts:
            ahead = self._ahead.get(part.path)
            if ahead is None:
                ahead = self._ahead[part.path] = set()
                # A path takes memory too, also one whose parts are empty and whose file never comes.
                self._ahead_chunks += 1
            before = len(ahead)
            for ref in part.chunks:
                if ref.id not in offered:
                    raise ProtocolError(f"{display_path(part.path)}: a part names a chunk that is not offered")
                ahead.add(ref.id)
            self._ahead_chunks += len(ahead) - before
        if self._ahead_chunks > _MAX_AHEAD_CHUNKS:
            raise ProtocolError("more parts ahead of their files than any file has")

    def _check_place(self, entry: Entry) -> None:
        root = next((root for root in self._roots if is_below(entry.path, root)), None)
        if root is not None:
            self._below = root if root == b"/" else root + b"/"
        elif not self._leads_to_root(entry):
            raise ProtocolError(f"{display_path(entry.path)} is outside the roots of this commit")

    def _check_content(self, entry: Entry, offered: set[bytes]) -> None:
        ahead = None
        if self._ahead and (ahead := self._ahead.pop(entry.path, None)) is not None:
            self._ahead_chunks -= len(ahead) + 1
        if entry.kind is not Kind.FILE:
            if entry.chunks:
                raise ProtocolError(f"{display_path(entry.path)} is no file and has chunks")
            return
        total = 0
        for ref in entry.chunks:
            total += ref.size_bytes
            if ref.id not in offered and (ahead is None or ref.id not in ahead):
                raise ProtocolError(f"{display_path(entry.path)} names a chunk that was not offered")
        if total != entry.size_bytes:
            raise ProtocolError(f"{display_path(entry.path)}: its chunks hold {total} bytes, the file {entry.size_bytes}")

    def _leads_to_root(self, entry: Entry) -> bool:
        return entry.kind is Kind.DIRECTORY and any(is_below(root, entry.path) for root in self._roots)
