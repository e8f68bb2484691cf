"""zstd frames as restic writes and reads them: one frame, content size inside."""

from __future__ import annotations

import threading

import zstandard

from holdfast.core.errors import RepositoryDamaged

LEVEL = 3
# Trees are JSON full of hashes: they take less room at level 1 than at 3, and two thirds of the time.
TREE_LEVEL = 1
_local = threading.local()


def compress(plain: bytes, level: int = LEVEL) -> bytes:
    """One frame. A copy of what the library gives: that keeps all the memory that the worst case would have needed, so that the trees of
    a pack took five times their size.
    """
    compressors: dict[int, zstandard.ZstdCompressor] | None = getattr(_local, "compressors", None)
    if compressors is None:
        compressors = _local.compressors = {}
    compressor = compressors.get(level)
    if compressor is None:
        compressor = compressors[level] = zstandard.ZstdCompressor(level=level)
    return memoryview(compressor.compress(plain)).tobytes()


def decompress(frame: bytes, limit_bytes: int) -> bytes:
    """The plain bytes; raises `RepositoryDamaged` for anything that is not zstd or gives more than `limit_bytes`."""
    decompressor = getattr(_local, "decompressor", None)
    if decompressor is None:
        decompressor = _local.decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    try:
        declared = zstandard.frame_content_size(frame)
        if declared > limit_bytes:
            raise RepositoryDamaged(f"a compressed part claims {declared} bytes, more than {limit_bytes}")
        plain: bytes = decompressor.decompress(frame, max_output_size=limit_bytes)
    except (zstandard.ZstdError, MemoryError) as error:
        raise RepositoryDamaged(f"a compressed part cannot be read: {error}", hint="run `holdfast repository check NAME`") from error
    return plain


def has_content_size(frame: bytes) -> bool:
    """True if the frame states its plain size, as every frame on our wire must."""
    try:
        return zstandard.frame_content_size(frame) >= 0
    except zstandard.ZstdError:
        return False
