"""renameat2(2): two names exchanged in one step, and a rename that never replaces. Numbers from linux/fs.h."""

from __future__ import annotations

import ctypes
import os
from functools import cache

_AT_FDCWD = -100
_NOREPLACE, _EXCHANGE = 1, 2


def exchange(one: bytes, other: bytes, folder: int = _AT_FDCWD) -> None:
    """Each becomes what the other was, at one moment. Raises `OSError`: ENOENT where one is missing, EINVAL where it cannot be done.
    `folder`: a descriptor of the folder that relative names are in."""
    _renameat2(one, other, _EXCHANGE, folder)


def rename_new(source: bytes, target: bytes, folder: int = _AT_FDCWD) -> None:
    """Raises `FileExistsError` where the target is there, and `OSError`."""
    _renameat2(source, target, _NOREPLACE, folder)


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return libc


def _renameat2(source: bytes, target: bytes, flags: int, folder: int) -> None:
    if _libc().renameat2(folder, source, folder, target, flags) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), source, None, target)
