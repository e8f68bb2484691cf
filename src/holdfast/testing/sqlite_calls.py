"""SQLite's own file calls as steps of a `FaultyDisk`: a file system (VFS, https://sqlite.org/vfs.html) around the usual one.

The real library does all its work; only what it asks of the disk is counted, and refused as a disk refuses it.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import errno
import os
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p, cast
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.testing.faulty_disk import FaultyDisk

# Result codes of sqlite3.h.
_OK, _IOERR, _FULL = 0, 10, 13
_CODES = {verb: _IOERR | number << 8 for verb, number in {"write": 3, "sync": 4, "truncate": 6, "remove": 10, "grow": 19}.items()}
_CANTOPEN, _OPEN_CREATE = 14, 0x4

_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)
_ShmMap = CFUNCTYPE(c_int, c_void_p, c_int, c_int, c_int, c_void_p)
# Names are pointers: SQLite keeps them, and a copy made for Python would be gone by then.
_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_Delete = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)


class _Methods(Structure):
    """`sqlite3_io_methods`, version 3."""

    _fields_ = (
        *(("iVersion", c_int), ("xClose", c_void_p), ("xRead", c_void_p), ("xWrite", _Write), ("xTruncate", _Truncate), ("xSync", _Sync)),
        *((name, c_void_p) for name in ("xFileSize", "xLock", "xUnlock", "xCheckReservedLock", "xFileControl", "xSectorSize")),
        *(("xDeviceCharacteristics", c_void_p), ("xShmMap", _ShmMap)),
        *((name, c_void_p) for name in ("xShmLock", "xShmBarrier", "xShmUnmap", "xFetch", "xUnfetch")),
    )


class _File(Structure):
    """`sqlite3_file`."""

    _fields_ = (("pMethods", POINTER(_Methods)),)


class _Vfs(Structure):
    """`sqlite3_vfs`, version 3."""

    _fields_ = (
        *((name, c_int) for name in ("iVersion", "szOsFile", "mxPathname")),
        *(("pNext", c_void_p), ("zName", c_char_p), ("pAppData", c_void_p), ("xOpen", _Open), ("xDelete", _Delete)),
        *((name, c_void_p) for name in ("xAccess", "xFullPathname", "xDlOpen", "xDlError", "xDlSym", "xDlClose", "xRandomness", "xSleep")),
        *((name, c_void_p) for name in ("xCurrentTime", "xGetLastError", "xCurrentTimeInt64")),
        *((name, c_void_p) for name in ("xSetSystemCall", "xGetSystemCall", "xNextSystemCall")),
    )


class _Shim:
    """The file system around the usual one. Made once and kept: connections that outlive a test still point into it."""

    def __init__(self) -> None:
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = c_void_p
        library.sqlite3_vfs_find.argtypes = (c_char_p,)
        library.sqlite3_vfs_register.argtypes = (c_void_p, c_int)
        self._library = library
        self._usual = library.sqlite3_vfs_find(None)
        self._inner = cast(self._usual, POINTER(_Vfs)).contents
        self._outer = _Vfs.from_buffer_copy(self._inner)
        self._outer.pNext = None
        self._outer.zName = b"holdfast-faulty"
        self._outer.xOpen, self._outer.xDelete = _Open(self._open), _Delete(self._delete)
        self._methods: dict[int, tuple[_Methods, _Methods]] = {}
        self._files: dict[int, tuple[str, _Methods]] = {}
        self.disk: FaultyDisk | None = None

    def register(self, disk: FaultyDisk | None) -> None:
        self.disk = disk
        self._library.sqlite3_vfs_register(self._usual if disk is None else ctypes.addressof(self._outer), 1)

    def _refused(self, verb: str, path: str) -> int:
        """The code to answer in place of the step; 0 = do it."""
        disk = self.disk
        relative = None if disk is None else disk.relative(path)
        if disk is None or relative is None:
            return _OK
        error = disk.fault(verb, relative)
        if error is None:
            return _OK
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and verb == "write":
            return _FULL
        return _CODES.get(verb, _CANTOPEN)

    def _volatile(self, path: str) -> Any:
        disk = self.disk
        return None if disk is None or disk.relative(path) is None else disk.volatile

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out_flags: int) -> int:
        path = "" if not name else os.fsdecode(ctypes.string_at(name))
        is_new = bool(path) and bool(flags & _OPEN_CREATE) and not os.path.lexists(path)
        if is_new and (code := self._refused("create", path)):
            cast(file, POINTER(_File)).contents.pMethods = None
            return code
        result = self._inner.xOpen(vfs, name, file, flags, out_flags)
        opened = cast(file, POINTER(_File)).contents
        if result == _OK and path and opened.pMethods:
            if is_new and (volatile := self._volatile(path)) is not None:
                volatile.created(path)
            address = ctypes.addressof(opened.pMethods.contents)
            if address not in self._methods:
                inner = opened.pMethods.contents
                outer = _Methods.from_buffer_copy(inner)
                outer.xWrite, outer.xTruncate, outer.xSync = _Write(self._write), _Truncate(self._truncate), _Sync(self._sync)
                if inner.iVersion >= 2:
                    outer.xShmMap = _ShmMap(self._shm_map)
                self._methods[address] = (inner, outer)
            inner, outer = self._methods[address]
            self._files[file] = (path, inner)
            opened.pMethods = ctypes.pointer(outer)
        return int(result)

    def _delete(self, vfs: int, name: int, sync_folder: int) -> int:
        path = os.fsdecode(ctypes.string_at(name))
        if not os.path.lexists(path):
            return int(self._inner.xDelete(vfs, name, sync_folder))
        if code := self._refused("remove", path):
            return code
        volatile = self._volatile(path)
        if volatile is None:
            return int(self._inner.xDelete(vfs, name, sync_folder))
        results: list[int] = []
        volatile.remove(path, lambda: results.append(self._inner.xDelete(vfs, name, sync_folder)))
        if sync_folder:
            volatile.names_synced()
        return results[0]

    def _write(self, file: int, data: int, size: int, offset: int) -> int:
        path, inner = self._files[file]
        code = self._refused("write", path)
        if code:
            size //= 2
        if (volatile := self._volatile(path)) is not None:
            volatile.writing(path, offset, ctypes.string_at(data, size))
        result = int(inner.xWrite(file, data, size, offset)) if size else _OK
        return code or result

    def _truncate(self, file: int, size: int) -> int:
        path, inner = self._files[file]
        if code := self._refused("truncate", path):
            return code
        if (volatile := self._volatile(path)) is not None:
            volatile.truncating(path, size)
        return int(inner.xTruncate(file, size))

    def _sync(self, file: int, flags: int) -> int:
        path, inner = self._files[file]
        if code := self._refused("sync", path):
            return code
        if (volatile := self._volatile(path)) is not None:
            volatile.synced(path)
            if path.endswith(("-wal", "-journal")):
                # SQLite syncs the folder with the first sync of a log it has made.
                volatile.names_synced()
            return _OK
        return int(inner.xSync(file, flags))

    def _shm_map(self, file: int, page: int, size: int, extend: int, out: int) -> int:
        path, inner = self._files[file]
        shared = path + "-shm"
        grows = extend and (not os.path.exists(shared) or os.path.getsize(shared) < (page + 1) * size)
        if grows and (code := self._refused("grow", shared)):
            return code
        return int(inner.xShmMap(file, page, size, extend, out))


class SqliteHooks:
    """`install` and `remove`, for connections opened in between."""

    _shim: _Shim | None = None

    def __init__(self, disk: FaultyDisk) -> None:
        self._disk = disk

    def install(self) -> None:
        if SqliteHooks._shim is None:
            SqliteHooks._shim = _Shim()
        SqliteHooks._shim.register(self._disk)

    def remove(self) -> None:
        if SqliteHooks._shim is not None:
            SqliteHooks._shim.register(None)
