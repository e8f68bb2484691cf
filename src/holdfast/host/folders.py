"""The folders in a folder, for choosing one by eye. Reads names and kinds only, and follows no symlink, not even on the way there."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterable, Iterator

from holdfast.core.errors import ErrorFacts, UsageError
from holdfast.model.entry import display_path, raw_of
from holdfast.model.sampling import Folder, Folders

MOST_FOLDERS = 500
MOST_LOOKED_AT = 100_000
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def clean_folder(path: bytes) -> bytes:
    """Absolute, without `.`, doubled and trailing slashes. Raises `UsageError` for a relative path, one with `..`, or with a NUL."""
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if path and not path.startswith(b"/"):
        raise UsageError(f"{display_path(path)} is not an absolute path", hint="begin it with /")
    if b".." in parts or b"\0" in path:
        raise UsageError(f"{display_path(path)} cannot be the path of a folder", hint="write it out, without `..`")
    return b"/" + b"/".join(parts)


def list_folders(path: bytes, *, hidden: Iterable[bytes] = ()) -> Folders:
    """Direct sub-folders of a clean path by name, at most `MOST_FOLDERS`; `hidden` are paths to leave out. A folder that cannot be
    looked at is an answer with `error`."""
    try:
        names, more = _names(path, frozenset(hidden))
    except OSError as error:
        return Folders(path=display_path(path), path_raw=raw_of(path), error=_why(path, error))
    folders = tuple(folder_of(path.rstrip(b"/") + b"/" + name, name, mode) for name, mode in names)
    return Folders(path=display_path(path), path_raw=raw_of(path), folders=folders, more=more)


def roots_as_folders(roots: Iterable[bytes]) -> Folders:
    """The places a machine lets itself be read at, in the place of `/`; their names are whole paths."""
    return Folders(path="/", folders=tuple(folder_of(root, root) for root in sorted(roots)[:MOST_FOLDERS]))


def folder_of(path: bytes, name: bytes, mode: int | None = None) -> Folder:
    return Folder(name=display_path(name), path=display_path(path), path_raw=raw_of(path), mode=mode)


def _names(path: bytes, hidden: frozenset[bytes]) -> tuple[list[tuple[bytes, int]], bool]:
    """Names and permission bits, and whether there are more."""
    descriptor = _open(path)
    try:
        looked_at = _Counted(descriptor)
        prefix = path.rstrip(b"/") + b"/"
        found = heapq.nsmallest(MOST_FOLDERS + 1, (name for name in looked_at if prefix + name not in hidden))
        rows = [(name, mode) for name in found[:MOST_FOLDERS] if (mode := _mode(name, descriptor)) is not None]
        return rows, len(found) > MOST_FOLDERS or looked_at.stopped
    finally:
        os.close(descriptor)


class _Counted:
    """Names of the folders in an open folder; `stopped` when it holds more entries than are looked at."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.stopped = False

    def __iter__(self) -> Iterator[bytes]:
        with os.scandir(self._descriptor) as listing:
            for number, entry in enumerate(listing):
                if number >= MOST_LOOKED_AT:
                    self.stopped = True
                    return
                if entry.is_dir(follow_symlinks=False):
                    yield os.fsencode(entry.name)


def _open(path: bytes) -> int:
    """Component by component: no folder on the way may be a symlink, also not one that was put there a moment ago."""
    descriptor = os.open(b"/", _OPEN)
    for part in path.split(b"/"):
        if part:
            above = descriptor
            try:
                descriptor = os.open(part, _OPEN, dir_fd=above)
            finally:
                os.close(above)
    return descriptor


def _mode(name: bytes, descriptor: int) -> int | None:
    """None when it went away meanwhile."""
    try:
        return stat.S_IMODE(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)
    except OSError:
        return None


def _why(path: bytes, error: OSError) -> ErrorFacts:
    shown = display_path(path)
    if isinstance(error, FileNotFoundError):
        return ErrorFacts("unknown-name", f"{shown} is not there", "choose a folder from the list")
    if isinstance(error, NotADirectoryError):
        # Linux says so of a symlink that is not followed, too.
        return ErrorFacts("usage", f"{shown} is not a folder, or reached through a symbolic link", "name the folder by its own path")
    return ErrorFacts("source", f"{shown} cannot be looked at: {os.strerror(error.errno or 0)}", "the agent there may not read it")
