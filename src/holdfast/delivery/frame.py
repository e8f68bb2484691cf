"""The outline of a zstd frame, walked without decompressing (RFC 8878, section 3.1.1).

One-shot calls of the library accept skippable frames, several frames, dictionaries and trailing bytes; what we store must be readable by
every tool that knows restic's format, and must not cost memory before it is known to be honest. So the frame is checked by its headers
first.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.errors import ProtocolError

MAX_WINDOW_BYTES = 8 * 1024 * 1024
_MAGIC = b"\x28\xb5\x2f\xfd"
_MAX_BLOCK_BYTES = 128 * 1024
_RAW, _RLE, _RESERVED = 0, 1, 3
_LAST_COMPRESSED = 2 << 1 | 1
_SHORTEST = 12
# Width of the content size by the descriptor of a frame of one segment without checksum and dictionary.
_WIDTHS = {0x20: 1, 0x60: 2, 0xA0: 4, 0xE0: 8}


@dataclass(frozen=True)
class FrameHeader:
    """`end`: offset of the first block."""

    content_bytes: int
    window_bytes: int
    has_checksum: bool
    end: int


def check_frame(data: bytes, declared_bytes: int, where: str) -> None:
    """Exactly one standard frame that says it holds `declared_bytes`; raises `ProtocolError` naming `where` otherwise."""
    if not _is_usual(data, declared_bytes):
        _walk(data, declared_bytes, where)


def _walk(data: bytes, declared_bytes: int, where: str) -> None:
    header = _header_of(data, where)
    if header.content_bytes != declared_bytes:
        raise ProtocolError(f"{where}: the frame holds {header.content_bytes} bytes, declared are {declared_bytes}")
    if header.window_bytes > MAX_WINDOW_BYTES:
        raise ProtocolError(f"{where}: the frame wants a window of {header.window_bytes} bytes, the limit is {MAX_WINDOW_BYTES}")
    end = _end_of_blocks(data, header, where) + (4 if header.has_checksum else 0)
    if end > len(data):
        raise ProtocolError(f"{where}: the frame is cut short")
    if end < len(data):
        raise ProtocolError(f"{where}: {len(data) - end} bytes after the frame")


def _is_usual(data: bytes, declared_bytes: int) -> bool:
    """Whether it is a good frame of the shape that small chunks have: one segment, no checksum, one compressed block that ends the data.

    Nearly all chunks are such; whatever is not is walked with care, and found good or named for what is wrong.
    """
    if data[:4] != _MAGIC or len(data) < _SHORTEST or (width := _WIDTHS.get(data[4])) is None:
        return False
    end = 5 + width
    content = int.from_bytes(data[5:end], "little") + (256 if width == 2 else 0)
    block = int.from_bytes(data[end : end + 3], "little")
    size = block >> 3
    if content != declared_bytes or content > _MAX_BLOCK_BYTES:
        return False
    return block & 7 == _LAST_COMPRESSED and size <= content and end + 3 + size == len(data)


def _header_of(data: bytes, where: str) -> FrameHeader:
    if data[:4] != _MAGIC:
        raise ProtocolError(f"{where}: not a standard zstd frame")
    if len(data) < 6:
        raise ProtocolError(f"{where}: the frame is cut short")
    descriptor = data[4]
    single_segment = descriptor & 0x20
    size_flag = descriptor >> 6
    if descriptor & 0x08:
        raise ProtocolError(f"{where}: the frame uses a reserved bit")
    if descriptor & 0x03:
        raise ProtocolError(f"{where}: the frame needs a dictionary")
    if not size_flag and not single_segment:
        raise ProtocolError(f"{where}: the frame does not say how much it holds")
    at = 5 if single_segment else 6
    width = 1 << size_flag
    if len(data) < at + width:
        raise ProtocolError(f"{where}: the frame is cut short")
    content = int.from_bytes(data[at : at + width], "little") + (256 if width == 2 else 0)
    window = content if single_segment else _window_of(data[5])
    return FrameHeader(content, window, bool(descriptor & 0x04), at + width)


def _window_of(descriptor: int) -> int:
    base = 1 << (10 + (descriptor >> 3))
    return base + base // 8 * (descriptor & 0x07)


def _end_of_blocks(data: bytes, header: FrameHeader, where: str) -> int:
    at = header.end
    largest = min(_MAX_BLOCK_BYTES, max(header.window_bytes, 1))
    while True:
        if at + 3 > len(data):
            raise ProtocolError(f"{where}: the frame is cut short")
        block = data[at] | data[at + 1] << 8 | data[at + 2] << 16
        kind, size = block >> 1 & 3, block >> 3
        if kind == _RESERVED or size > largest:
            raise ProtocolError(f"{where}: the frame has a block of kind {kind} and {size} bytes")
        at += 3 + (1 if kind == _RLE else size)
        if block & 1:
            return at
