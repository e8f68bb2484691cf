"""Archives as streams, judged by the programs people unpack them with: GNU tar, unzip, and Python's readers."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ProtocolError, RepositoryDamaged, UnknownName, UsageError
from holdfast.host.compare import compare_trees
from holdfast.model.change import Payload
from holdfast.model.downloads import Format, disposition_of, saved_name
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.reading import PointReader
from holdfast.operations.download.download import open_download
from holdfast.operations.download.members import members
from holdfast.operations.download.zip_stream import NOTES
from holdfast.testing.odd_tree import build_odd_tree
from holdfast.testing.tree_source import TreeSource

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners, devices and trusted attributes")


class Made(PointReader):
    """Files that are the same chunk over and over: as large and as many as a test wants, at no cost."""

    def __init__(self, *files: tuple[bytes, int], chunk: bytes = bytes(1 << 20)) -> None:
        self._chunk = chunk
        self._id = hashlib.sha256(chunk).digest()
        self._files = files

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        yield Entry(path=b"/d", kind=Kind.DIRECTORY, mode=0o755)
        for name, count in self._files:
            refs = (ChunkRef(self._id, len(self._chunk)),) * count
            yield Entry(path=b"/d/" + name, kind=Kind.FILE, mode=0o644, size_bytes=count * len(self._chunk), chunks=refs)

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        for each in ids:
            yield Payload(each, len(self._chunk), False, self._chunk)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("odd") / "tree"
    build_odd_tree(root)
    return root


def _write(reader: PointReader, path: Path | bytes, format: Format, to: Path) -> None:
    with to.open("wb") as file:
        for block in open_download(reader, os.fsencode(path), format).blocks():
            file.write(block)


@as_root
@pytest.mark.parametrize("format", ["tar", "tar.zst"])
def test_gnu_tar_makes_the_same_tree_of_it(odd: Path, tmp_path: Path, format: Format) -> None:
    archive = tmp_path / "archive.tar"
    _write(TreeSource(odd), odd, format, archive)
    if format == "tar.zst":
        with archive.open("rb") as packed, (tmp_path / "plain.tar").open("wb") as plain:
            zstandard.ZstdDecompressor().copy_stream(packed, plain)
        archive = tmp_path / "plain.tar"
    to = tmp_path / "out"
    to.mkdir()
    told = subprocess.run(
        ["tar", "-xpf", archive, "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", to], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert [str(difference) for difference in compare_trees(odd, to / "tree")] == []


def test_a_zip_has_what_a_zip_can_hold_and_says_what_it_cannot(odd: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    _write(TreeSource(odd), odd, "zip", archive)
    assert subprocess.run(["unzip", "-tqq", archive], capture_output=True, check=False).returncode == 0
    with zipfile.ZipFile(archive) as found:
        assert found.testzip() is None
        names = found.namelist()
        assert len(set(names)) == len(names)
        assert found.read("tree/plain") == found.read("tree/zz-hard") == (odd / "plain").read_bytes()
        assert found.read("tree/sparse") == (odd / "sparse").read_bytes()
        assert found.read("tree/link") == b"plain"
        assert "tree/empty-folder/" in names
        notes = found.read(NOTES).decode()
    assert "left out: tree/fifo" in notes
    assert "renamed: tree/not-utf8-\\xff\\xfe is tree/not-utf8-%FF%FE~" in notes
    assert "renamed: tree/line\\nbreak is tree/line%0Abreak~" in notes
    to = tmp_path / "out"
    subprocess.run(["unzip", "-qq", archive, "-d", to], check=True)
    assert (to / "tree" / "link").is_symlink()
    assert (to / "tree" / "a" / "b").read_bytes() == b"inside"
    assert (to / "tree" / "setuid").stat().st_mode & 0o777 == 0o755 or (to / "tree" / "setuid").stat().st_mode & 0o777 == 0o751


@pytest.mark.big
def test_a_file_of_more_than_4_gib_is_whole_in_a_zip() -> None:
    """zip64: sizes behind the content, and in the list at the end."""
    count = 4097
    total, tail = 0, deque[bytes](maxlen=3)
    for block in open_download(Made((b"large", count), (b"small", 1)), b"/d", "zip").blocks():
        total += len(block)
        tail.append(block)
    assert _sizes_in_the_list(b"".join(tail), total) == {"d/": 0, "d/large": count << 20, "d/small": 1 << 20}


def test_more_than_65535_members_are_a_zip64() -> None:
    reader = Made(*((b"%06d" % number, 0) for number in range(70_000)))
    data = b"".join(open_download(reader, b"/d", "zip").blocks())
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert len(found.namelist()) == 70_001


def _sizes_in_the_list(tail: bytes, total: int) -> dict[str, int]:
    """What the central directory says, read by `zipfile` from a file whose beginning is a hole."""

    class _Hollow(io.RawIOBase):
        at = 0

        def seekable(self) -> bool:
            return True

        def readable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at = offset + (0, self.at, total)[whence]
            return self.at

        def tell(self) -> int:
            return self.at

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            begin = self.at - (total - len(tail))
            data = tail[max(begin, 0) : max(begin, 0) + len(buffer)]
            buffer[: len(data)] = data
            self.at += len(data)
            return len(data)

    with zipfile.ZipFile(io.BufferedReader(_Hollow())) as found:  # type: ignore[type-var]
        return {info.filename: info.file_size for info in found.infolist()}


def test_what_does_not_get_smaller_is_not_compressed_and_is_a_zip_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "random").write_bytes(os.urandom(300_000))
    data = b"".join(open_download(TreeSource(tmp_path / "f"), os.fsencode(tmp_path / "f"), "zip").blocks())
    assert 300_000 < len(data) < 301_500
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.read("f/random") == (tmp_path / "f" / "random").read_bytes()


@given(start=st.integers(0, 50_000), length=st.integers(0, 50_000))
def test_any_range_of_a_file_is_what_is_there(start: int, length: int) -> None:
    content = bytes(range(256)) * 150
    reader = _ContentReader(content)
    end = min(start + length, len(content))
    start = min(start, end)
    assert b"".join(open_download(reader, b"/f", "file").blocks(start, end)) == content[start:end]


class _ContentReader(PointReader):
    def __init__(self, content: bytes) -> None:
        pieces = [content[at : at + 1_000] for at in range(0, len(content), 1_000)]
        self._chunks = {hashlib.sha256(piece).digest(): piece for piece in pieces}
        self._entry = Entry(
            path=b"/f",
            kind=Kind.FILE,
            mode=0o644,
            size_bytes=len(content),
            chunks=tuple(ChunkRef(hashlib.sha256(piece).digest(), len(piece)) for piece in pieces),
        )

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        yield self._entry

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        for each in ids:
            yield Payload(each, len(self._chunks[each]), False, self._chunks[each])

    def close(self) -> None:
        pass


@pytest.mark.parametrize("format", ["zip", "tar"])
def test_what_is_lost_breaks_the_archive_off_and_names_the_file(odd: Path, format: Format) -> None:
    reader = TreeSource(odd)
    reader.refused.add(hashlib.sha256(b"inside").digest())
    blocks = open_download(reader, os.fsencode(odd), format).blocks()
    with pytest.raises(RepositoryDamaged, match="a/b is damaged"):
        for _ in blocks:
            pass


def test_content_that_is_not_what_it_should_be_is_given_to_nobody() -> None:
    reader = _ContentReader(b"x" * 5_000)
    chunks = next(iter(reader.entries())).chunks
    reader._chunks[chunks[0].id] = b"y" * 1_000
    with pytest.raises(RepositoryDamaged, match="SHA-256"):
        b"".join(open_download(reader, b"/f", "file").blocks())


@pytest.mark.parametrize("name", [b"/../up", b"/a/../../up", b"/a//b", b"/a/./b", b"a"])
def test_a_name_that_leads_elsewhere_is_refused(name: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(members([Entry(path=name, kind=Kind.FILE, mode=0)], b"/", hard_links=True))


def test_nothing_is_written_through_a_link() -> None:
    """A repository that somebody tampered with: unpacked, `a/passwd` would be written to /etc."""
    entries = [
        Entry(path=b"/d/a", kind=Kind.SYMLINK, mode=0o777, link_target=b"/etc"),
        Entry(path=b"/d/a/passwd", kind=Kind.FILE, mode=0o644),
    ]
    with pytest.raises(ProtocolError, match="no place"):
        list(members(entries, b"/d", hard_links=True))


def test_hard_links_whose_first_name_is_elsewhere_are_files_of_their_own(odd: Path) -> None:
    data = b"".join(open_download(TreeSource(odd), os.fsencode(odd / "a"), "tar").blocks())
    with tarfile.open(fileobj=io.BytesIO(data)) as found:
        assert found.getmember("a/hard").isreg()
        file = found.extractfile("a/hard")
        assert file is not None
        assert file.read() == (odd / "plain").read_bytes()


def test_a_folder_is_no_file_and_what_is_not_there_has_a_name(odd: Path) -> None:
    with pytest.raises(UsageError, match="no plain file"):
        open_download(TreeSource(odd), os.fsencode(odd), "file")
    with pytest.raises(UnknownName):
        open_download(TreeSource(odd), os.fsencode(odd / "nothing"), "auto")


@pytest.mark.parametrize(
    ("path", "format", "name"),
    [
        (b"/srv/letter.txt", "file", "letter.txt"),
        (b"/srv", "tar.zst", "srv.tar.zst"),
        (b"/", "zip", "download.zip"),
        (b"/a/..\\..\\evil", "file", ".._.._evil"),
        (b'/a/qu"ote\r\nSet-Cookie: x', "file", "qu_ote__Set-Cookie_ x"),
        (b"/a/\xff\xfe", "file", "__"),
        ("/a/Übergrößenträger".encode(), "file", "Übergrößenträger"),
    ],
)
def test_how_a_download_is_called(path: bytes, format: Format, name: str) -> None:
    assert saved_name(path, format) == name


@given(st.binary(min_size=1, max_size=255))
def test_no_name_breaks_out_of_its_header(name: bytes) -> None:
    line = disposition_of(saved_name(b"/d/" + name.replace(b"/", b"_"), "file"))
    assert line.isascii()
    assert line.isprintable()
    assert line.count('"') == 2
