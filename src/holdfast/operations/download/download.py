"""What somebody gets: one path of a point as a file or an archive, its bytes made as they are taken."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import zstandard

from holdfast.core.errors import UnknownName
from holdfast.model.downloads import Format, chosen_format, saved_name
from holdfast.model.entry import Entry, Kind, check_path, display_path
from holdfast.model.reading import PointReader
from holdfast.operations.download.members import members
from holdfast.operations.download.pieces import check_whole, pieces_of, range_of
from holdfast.operations.download.tar_stream import tar_of
from holdfast.operations.download.zip_stream import zip_of

_ZSTD_LEVEL = 3
_MEDIA = {"file": "application/octet-stream", "zip": "application/zip", "tar": "application/x-tar", "tar.zst": "application/zstd"}


@dataclass(frozen=True)
class Download:
    """`size_bytes` and `tag`, which changes when the content does, are those of a file; an archive has none and no ranges."""

    name: str
    format: Format
    media_type: str
    size_bytes: int | None
    tag: str
    _reader: PointReader
    _path: bytes
    _entries: Iterable[Entry]
    _file: Entry | None

    def blocks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """To be taken once. `start` and `end` are for files alone. Raises `RepositoryDamaged` where something is lost, and what the
        reader raises."""
        if self._file is not None:
            yield from range_of(self._reader, self._file, start, self._file.size_bytes if end is None else end)
            return
        found = members(self._entries, self._path, hard_links=self.format != "zip")
        archive = zip_of if self.format == "zip" else tar_of
        blocks = archive(pieces_of(self._reader, found))
        yield from _compressed(blocks) if self.format == "tar.zst" else blocks


def open_download(reader: PointReader, path: bytes, wanted: Format) -> Download:
    """Raises `UnknownName` when the path is not there, `UsageError` for a folder that is wanted as a file, `RepositoryDamaged` for a file
    whose parts are not all there."""
    check_path(path)
    entries = reader.entries(() if path == b"/" else (path,))
    first = next(entries, None)
    if first is None or (path != b"/" and first.path != path):
        raise UnknownName(f"there is no {display_path(path)} in this point", hint="`holdfast ls POINT` shows what there is")
    asked = first if path != b"/" else Entry(path=b"/", kind=Kind.DIRECTORY, mode=0o755)
    format = chosen_format(asked, wanted)
    file = first if format == "file" else None
    if file is not None:
        check_whole(file)
    return Download(
        name=saved_name(path, format),
        format=format,
        media_type=_MEDIA[format],
        size_bytes=None if file is None else file.size_bytes,
        tag="" if file is None else _tag_of(file),
        _reader=reader,
        _path=path,
        _entries=chain((first,), entries),
        _file=file,
    )


def _tag_of(entry: Entry) -> str:
    digest = hashlib.sha256()
    for ref in entry.chunks:
        digest.update(ref.id)
    return digest.hexdigest()[:32]


def _compressed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compressobj()
    for block in blocks:
        if packed := compressor.compress(block):
            yield packed
    yield compressor.flush()
