"""Telling from its first bytes whether a file is of a known type, could be compressed, or is noise, as encrypted content is. Pure."""

from __future__ import annotations

import zlib

HEAD_BYTES = 65_536
"""More of a file is not looked at."""
LEAST_BYTES = 256
"""Of fewer nothing can be said."""
_NOISE_RATIO = 0.97
_PLAIN_RATIO = 0.9
_MAGIC: tuple[bytes, ...] = (
    b"\x1f\x8b",  # gzip
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",  # zstd
    b"\x04\x22\x4d\x18",  # lz4
    b"LZIP",
    b"PK\x03\x04",  # zip, office documents, jar
    b"PK\x05\x06",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG",
    b"GIF8",
    b"RIFF",  # WebP, WAV, AVI
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"ID3",
    b"\xff\xfb",
    b"OggS",
    b"fLaC",
    b"%PDF",
    b"\x7fELF",
    b"SQLite format 3\x00",
    b"PACK",  # git
    b"DIRC",
    b"\xfftOc",
    b"!<arch>",  # deb, static libraries
    b"\xed\xab\xee\xdb",  # RPM
    b"wOFF",
    b"wOF2",
    b"MZ",
    b"II*\x00",  # TIFF and raw photos
    b"MM\x00*",
    b"\x78\x01",  # zlib: git's loose objects
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
)


def has_magic(head: bytes) -> bool:
    """Whether it begins as files of a known type do."""
    return head.startswith(_MAGIC) or head[4:8] == b"ftyp"


def is_noise(head: bytes) -> bool:
    """No known type, and nothing that compresses: random bytes, or encrypted ones."""
    return len(head) >= LEAST_BYTES and not has_magic(head) and _ratio(head) >= _NOISE_RATIO


def is_telling(head: bytes) -> bool:
    """Of a known type, or compressible: content that means something."""
    return len(head) >= LEAST_BYTES and (has_magic(head) or _ratio(head) < _PLAIN_RATIO)


def _ratio(head: bytes) -> float:
    return len(zlib.compress(head[:HEAD_BYTES], 1)) / min(len(head), HEAD_BYTES)
