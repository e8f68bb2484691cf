"""Unix sockets as we use them: private, at paths of any length, and only for our own user."""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.core.errors import Conflict, NotGranted, NotReachable
from holdfast.core.private_files import make_private_folder

_CREDENTIALS = struct.Struct("=iII")


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """The address of a socket whose path may be longer than the 107 bytes the kernel takes."""
    if len(os.fsencode(path)) <= 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen_on(path: Path) -> socket.socket:
    """A listening stream socket, 0600. A dead one in its place is removed; raises `Conflict` when a live one is there."""
    make_private_folder(path.parent)
    _remove_dead(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _reachable(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise Conflict(f"cannot listen on {path}: {error.strerror}", hint="look whether another Holdfast uses this home") from error
    return listener


def connect_to(path: Path) -> socket.socket:
    """Raises `NotReachable` when nobody listens there, `NotGranted` when it is another user."""
    try:
        connection = dial(path)
    except OSError as error:
        raise NotReachable(f"nobody listens on {path}: {error.strerror}", hint="start the node: `holdfast node run`") from error
    try:
        check_owner(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def dial(path: Path, timeout_s: float | None = None) -> socket.socket:
    """A connection to whoever listens there. Raises `OSError`, `TimeoutError` among them; the time limit stays with the socket."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        with _reachable(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def peer_uid(connection: socket.socket) -> int:
    """The user the other end runs as, told by the kernel (unix(7), SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


def check_owner(connection: socket.socket) -> None:
    """Raises `NotGranted` unless the other end runs as our own user."""
    uid = peer_uid(connection)
    if uid != os.geteuid():
        raise NotGranted(f"user {uid} is not the user this node runs as", hint="run the command as the node's user")


def _remove_dead(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Conflict(f"{path} is not a socket", hint="move it away")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, _reachable(path) as address:
        try:
            probe.connect(address)
        except OSError:
            with suppress(FileNotFoundError):
                path.unlink()
            return
    raise Conflict(f"somebody listens on {path} already", hint="stop the other Holdfast that uses this home")
