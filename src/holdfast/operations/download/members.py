"""What is in an archive and what it is called there: relative names below the folder that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from holdfast.core.errors import ProtocolError
from holdfast.model.entry import Entry, Kind, check_path, display_path, is_below, parent_of


@dataclass(frozen=True, slots=True)
class Member:
    """`name` is relative, without a slash at its end. `same_as`: the name of an earlier member that is the same file, by a hard link."""

    entry: Entry
    name: bytes
    same_as: bytes = b""

    @property
    def content_bytes(self) -> int:
        """How much content is written for it."""
        return 0 if self.same_as or self.entry.kind is not Kind.FILE else self.entry.size_bytes


def members(entries: Iterable[Entry], path: bytes, *, hard_links: bool) -> Iterator[Member]:
    """The entries at and below `path`, in order. `hard_links`: the second name of a file is a link to the first.

    Raises `ProtocolError` for a name that would lead out of the place where somebody unpacks, and for something below what is no folder:
    unpacked, it would be written wherever a link points to.
    """
    begin = 0 if path == b"/" else len(parent_of(path).rstrip(b"/"))
    names: dict[tuple[int, int], bytes] = {}
    no_folder = b""
    for entry in entries:
        check_path(entry.path)
        if not is_below(entry.path, path) or (no_folder and is_below(entry.path, no_folder)):
            raise ProtocolError(f"{display_path(entry.path)} has no place in this download", hint="check the repository")
        name = entry.path[begin + 1 :]
        if not name:
            continue
        same_as = b""
        if entry.kind is not Kind.DIRECTORY:
            no_folder = entry.path
        if hard_links and entry.links > 1 and entry.kind is Kind.FILE and entry.inode:
            same_as = names.setdefault((entry.device, entry.inode), name)
        yield Member(entry, name, b"" if same_as == name else same_as)
