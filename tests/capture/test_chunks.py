"""Chunks of a segment, and what may be put away of them to be read again."""

from __future__ import annotations

from pathlib import Path

from holdfast.capture.chunks import Chunk, FileOrigin, SegmentChunks
from holdfast.model.change import Payload
from holdfast.model.entry import Entry, Kind

CONTENT = b"the same in both files"


def test_what_one_of_two_files_has_at_hand_is_not_put_away_as_a_place_in_the_other(tmp_path: Path) -> None:
    entry = Entry(path=bytes(tmp_path / "far"), kind=Kind.FILE, mode=0o600, size_bytes=len(CONTENT))
    far = FileOrigin(entry, lambda count: None, lambda path: None)
    chunk = Chunk(b"i" * 32, len(CONTENT), None, far)
    assert SegmentChunks({chunk.id: chunk}).packed() is not None
    chunk.join(Chunk(chunk.id, len(CONTENT), CONTENT))
    chunks = SegmentChunks({chunk.id: chunk})
    assert chunks.packed() is None
    (payload,) = chunks.payloads([chunk.id], "off")
    assert payload == Payload(chunk.id, len(CONTENT), False, CONTENT)
