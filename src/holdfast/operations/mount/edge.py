"""The file system as the kernel asks for it: libfuse 3 through mfusepy. Every answer, and every error, comes in time.

Points never change, so the kernel keeps names, attributes and content for as long as it likes.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from holdfast.core.errors import HoldfastError, MountUnavailable, UnknownName
from holdfast.core.ready_types import make_types_ready
from holdfast.model.entry import Entry, Kind, display_path
from holdfast.operations.mount.content import KEPT_BYTES, Content
from holdfast.operations.mount.point_tree import Attributes, made_inode
from holdfast.operations.mount.shelf import Found, Link, Stored, View

T = TypeVar("T")
OnOpen = Callable[[Entry, int, int], None]
"""The file, and the user and process that open it."""
logger = logging.getLogger(__name__)

KIND = "fuse.holdfast"
"""What the kernel calls such a mount in its table."""

_KEPT_BY_KERNEL_S = 3600
_KEEP_S = 60.0
_FILL_PLUS = 1 << 1
# libfuse's own default, which from this version on it must be told.
_NAMES_THREADS, _THREADS = 12, 10
# Not held open by anything: the kernel hands back what `opendir` gave until it closes the folder.
_MOST_LISTINGS = 1_000
# What libfuse's `fuse_main` ends with when its loop was left by a signal.
_LOOP_LEFT = 8
_INSTALL = "apt-get install fuse3 (or the package of that name), and /dev/fuse must be there"


# What `.` and `..` are is known to the kernel.
_SOME_FOLDER: Attributes = {"st_mode": 0o040755, "st_ino": 1}


class Files:
    """What mfusepy calls. Times are in nanoseconds."""

    use_ns = True

    def __init__(self, view: View, content: Content, on_ready: Callable[[], None] = lambda: None) -> None:
        self._view = view
        self._on_ready = on_ready
        self._content = content
        self._guard = threading.Lock()
        self._listings: dict[int, list[tuple[bytes, Found]]] = {}
        self._next = 0

    def init(self, path: str) -> None:
        """It is mounted."""
        self._on_ready()

    def getattr(self, path: str, fh: int | None = None) -> Attributes:
        return attributes(self._found(path))

    def readlink(self, path: str) -> str:
        found = self._found(path)
        if isinstance(found, Link):
            return os.fsdecode(found.target)
        if isinstance(found, Stored) and found.entry.kind is Kind.SYMLINK:
            return os.fsdecode(found.entry.link_target)
        raise OSError(errno.EINVAL, "not a link")

    def opendir(self, path: str) -> int:
        raw = os.fsencode(path)
        listing = told(path, lambda: self._view.listing(raw))
        with self._guard:
            self._next += 1
            self._listings[self._next] = listing
            while len(self._listings) > _MOST_LISTINGS:
                self._listings.pop(next(iter(self._listings)))
            return self._next

    def releasedir(self, path: str, fh: int) -> int:
        with self._guard:
            self._listings.pop(fh, None)
        return 0

    def readdir_with_offset(self, path: str, offset: int, fh: int) -> Iterator[tuple[str, dict[str, int], int]]:
        for name, facts, number in self.entries_from(path, offset, fh):
            yield name, dict(facts), number

    def entries_from(self, path: str, offset: int, fh: int) -> Iterator[tuple[str, Attributes, int]]:
        """Names, attributes, and the offset behind each."""
        with self._guard:
            listing = self._listings.get(fh)
        if listing is None:
            raw = os.fsencode(path)
            listing = told(path, lambda: self._view.listing(raw))
        for number in range(offset, min(2, offset + 2)):
            yield "." * (number + 1), _SOME_FOLDER, number + 1
        for number, (name, found) in enumerate(islice(listing, max(0, offset - 2), None), max(2, offset) + 1):
            yield os.fsdecode(name), attributes(found), number

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        found = self._found(path)
        if not isinstance(found, Stored):
            raise OSError(errno.EISDIR, "not a file")
        tree, entry = found
        return told(path, lambda: self._content.read(tree, entry, offset, size))

    def listxattr(self, path: str) -> list[str]:
        found = self._found(path)
        return [os.fsdecode(xattr.name) for xattr in found.entry.xattrs] if isinstance(found, Stored) else []

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        value = self.attribute_of(os.fsencode(path), os.fsencode(name))
        if value is None:
            raise OSError(errno.ENODATA, "no such attribute")
        return value

    def attribute_of(self, path: bytes, name: bytes) -> bytes | None:
        """An extended attribute; None where it has none of this name. `ls -l` asks for two of each file."""
        found = self._find(path)
        if not isinstance(found, Stored):
            return None
        return next((xattr.value for xattr in found.entry.xattrs if xattr.name == name), None)

    def _found(self, path: str) -> Found:
        return self._find(os.fsencode(path))

    def _find(self, path: bytes) -> Found:
        found = told(path, lambda: self._view.find(path))
        if found is None:
            raise OSError(errno.ENOENT, "not there")
        return found


def attributes(found: Found) -> Attributes:
    if isinstance(found, Stored):
        return found.tree.attributes(found.entry)
    is_link = isinstance(found, Link)
    return {
        "st_mode": 0o120777 if is_link else 0o040755,
        "st_ino": made_inode(found.name),
        "st_nlink": 1,
        "st_uid": os.geteuid(),
        "st_gid": os.getegid(),
        "st_size": len(found.target) if isinstance(found, Link) else 0,
        "st_atime": found.time_ns,
        "st_mtime": found.time_ns,
        "st_ctime": found.time_ns,
    }


def told(path: str | bytes, work: Callable[[], T]) -> T:
    """Errors as the kernel knows them; what it cannot say is in the log."""
    try:
        return work()
    except UnknownName as error:
        raise OSError(errno.ENOENT, error.message) from error
    except HoldfastError as error:
        where = display_path(path if isinstance(path, bytes) else os.fsencode(path))
        logger.warning("%s: %s", where, error.message, extra={"facts": {"path": where, "error": error.message, "code": error.code}})
        raise OSError(errno.EIO, error.message) from error


class WatchedFiles(Files):
    """Tells who opens what."""

    def __init__(self, view: View, content: Content, on_ready: Callable[[], None], on_open: OnOpen) -> None:
        super().__init__(view, content, on_ready)
        self._on_open = on_open

    def open(self, path: str, flags: int) -> int:
        found = self._found(path)
        if isinstance(found, Stored):
            uid, _, pid = fuse_library().fuse_get_context()
            self._on_open(found.entry, uid, pid)
        return 0


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a view is mounted. `kept_bytes` of content stay in memory, and none on any disk; `kept_s`: how long the kernel may believe names
    and attributes. `on_open` raises an `OSError` where it is not to be."""

    allow_other: bool = False
    kept_bytes: int = KEPT_BYTES
    kept_s: int = _KEPT_BY_KERNEL_S
    on_open: OnOpen | None = None
    on_ready: Callable[[], None] = lambda: None


def serve(view: View, where: bytes, manner: Manner) -> None:
    """Mount it there and answer until it is unmounted, or the process gets SIGTERM or SIGINT. Raises `MountUnavailable` where FUSE is
    missing, or the kernel refuses."""
    library = fuse_library()
    make_types_ready()
    content = Content(manner.kept_bytes)
    stopping = threading.Event()
    keeper = threading.Thread(target=_keep, args=(view, stopping), name="mount-keeper", daemon=True)
    options: dict[str, Any] = {
        "foreground": True,
        "fsname": "holdfast",
        "subtype": "holdfast",
        "ro": True,
        "use_ino": True,
        "kernel_cache": True,
        "attr_timeout": manner.kept_s,
        "entry_timeout": manner.kept_s,
    }
    if library.fuse_version_minor >= _NAMES_THREADS:
        options["max_threads"] = _THREADS
    if manner.allow_other:
        options |= {"allow_other": True, "default_permissions": True}
    watched, mounted = manner.on_open, threading.Event()

    def on_ready() -> None:
        mounted.set()
        manner.on_ready()

    files = Files(view, content, on_ready) if watched is None else WatchedFiles(view, content, on_ready, watched)
    keeper.start()
    try:
        edge_of(library)(files, os.fsdecode(where), **options)
    except RuntimeError as error:
        if mounted.is_set() and error.args == (_LOOP_LEFT,):
            return
        raise MountUnavailable(
            f"{os.fsdecode(where)} cannot be mounted: libfuse ended with {error}", hint=f"its own words are above; {_INSTALL}"
        ) from error
    finally:
        stopping.set()
        content.close()
        view.close()


def fuse_library() -> Any:
    """mfusepy. Which libfuse it takes is said by the environment; without a word it prefers version 2. Raises `MountUnavailable`."""
    try:
        import mfusepy
    except (OSError, AttributeError, ImportError) as error:
        raise MountUnavailable(f"this machine has no libfuse 3: {error}", hint=_INSTALL) from error
    if not os.path.exists("/dev/fuse"):
        raise MountUnavailable("this machine's kernel offers no FUSE: there is no /dev/fuse", hint=f"modprobe fuse; {_INSTALL}")
    return mfusepy


def edge_of(library: Any) -> Any:
    """mfusepy's own class, but for listings: they bring the attributes with them, so that `ls -l` asks for none."""

    def readdir_fuse_3(self: Any, path: bytes, buf: Any, filler: Any, *rest: Any) -> int:
        offset, info, flags = rest
        status = library.c_stat()
        for name, facts, number in self.operations.entries_from(os.fsdecode(path), offset, info.contents.fh):
            library.set_st_attrs(status, facts, use_ns=True)
            if filler(buf, os.fsencode(name), status, number, _FILL_PLUS if flags & 1 else 0):
                break
        return 0

    def getxattr(self: Any, path: bytes, name: bytes, value: Any, size: int) -> int:
        found = self.operations.attribute_of(path, name)
        if found is None:
            return -errno.ENODATA
        if size and len(found) > size:
            return -errno.ERANGE
        if size:
            ctypes.memmove(value, found, len(found))
        return len(found)

    return type("Edge", (library.FUSE,), {"readdir_fuse_3": readdir_fuse_3, "getxattr": getxattr})


def _keep(view: View, stopping: threading.Event) -> None:
    while not stopping.wait(_KEEP_S):
        view.keep()
