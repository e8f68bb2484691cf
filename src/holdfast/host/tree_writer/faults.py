"""What the kernel says no with, as errors of our tree."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from holdfast.core.errors import Conflict, NoSpace, ReadOnly, StoreError, is_no_space
from holdfast.model.entry import display_path

_NOT_A_FOLDER = frozenset({errno.ENOTDIR, errno.ELOOP})


def store_error(error: OSError, path: bytes, root: bytes = b"") -> NoSpace | Conflict | StoreError:
    """The typed error for a failed write at `path`, which is below `root` where it is not absolute: who reads it knows no other root."""
    shown = display_path(os.path.join(root, path))
    if is_no_space(error):
        return NoSpace(f"no space left to write {shown}", hint="free some space there, then run it again", path=shown)
    if error.errno in _NOT_A_FOLDER:
        return Conflict(
            f"not a folder (or a symbolic link, which is never followed) on the way to {shown}",
            hint="remove what stands there, or write to another place",
            path=shown,
        )
    if error.errno == errno.EROFS:
        return ReadOnly(f"cannot write {shown}: its file system is read-only", path=shown)
    return StoreError(f"cannot write {shown}: {error.strerror}", hint="see whether the place is there and writable", path=shown)


class Typed:
    """`with Typed(path, root):` turns an `OSError` into the error of our tree, as `store_error`."""

    __slots__ = ("_path", "_root")

    def __init__(self, path: bytes, root: bytes = b"") -> None:
        self._path, self._root = path, root

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise store_error(error, self._path, self._root) from error
