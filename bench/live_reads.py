"""How often files of a source are opened to be read, by whoever: what a capture reads, told by the kernel."""

from __future__ import annotations

import os
import select
import struct
import threading
from pathlib import Path
from types import TracebackType

from holdfast.host.watch.syscalls import inotify_add_watch, inotify_init

_TURN_S = 0.2
_EVENT = struct.Struct("iIII")
_CLOSE_NOWRITE, _IS_FOLDER, _OVERFLOW = 0x10, 0x4000_0000, 0x4000


class Reads:
    """Counts while its `with` lasts; folders that are made meanwhile are not seen. `bytes`: sizes of the files that were read."""

    def __init__(self, top: Path) -> None:
        self.count, self.bytes, self._is_over = 0, 0, False
        self._queue = inotify_init()
        self._folders: dict[int, int] = {}
        for folder, _, _ in os.walk(top):
            watched = inotify_add_watch(self._queue, os.fsencode(folder), _CLOSE_NOWRITE)
            # By descriptor, since folders are renamed.
            self._folders[watched] = os.open(folder, os.O_PATH)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Reads:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_over = True
        self._thread.join()
        for descriptor in (self._queue, *self._folders.values()):
            os.close(descriptor)

    def _run(self) -> None:
        while True:
            is_over = self._is_over
            waiting, _, _ = select.select([self._queue], [], [], _TURN_S)
            if waiting:
                self._take(os.read(self._queue, 1 << 20))
            elif is_over:
                return

    def _take(self, data: bytes) -> None:
        offset = 0
        while offset < len(data):
            watched, mask, _, length = _EVENT.unpack_from(data, offset)
            name = data[offset + _EVENT.size : offset + _EVENT.size + length].rstrip(b"\0")
            offset += _EVENT.size + length
            if mask & _OVERFLOW:
                raise OverflowError("reads came faster than they were counted")
            if name and not mask & _IS_FOLDER:
                self.count += 1
                self.bytes += self._size(watched, name)

    def _size(self, watched: int, name: bytes) -> int:
        try:
            return os.stat(name, dir_fd=self._folders[watched]).st_size
        except OSError:
            # It was renamed meanwhile.
            return 0
