"""Asking this machine's agent, blocking: what the command line uses when the Master is away, or for what never leaves the machine."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import msgspec

from holdfast.core.errors import NotReachable, ProtocolError
from holdfast.model.questions import Answer, Question
from holdfast.node.config import socket_path

_LENGTH = struct.Struct(">I")
_START = "start it with `holdfast up` or `holdfast node run`"


def has_agent(home: Path) -> bool:
    """Whether an agent of this home seems to run: its socket is there."""
    return socket_path(home).exists()


def ask(home: Path, question: Question, timeout_s: float = 60) -> Answer:
    """One question, one answer, a `Failed` among them. Raises `NotReachable` when no agent answers in time."""
    path = socket_path(home)
    body = msgspec.msgpack.encode(question)
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(timeout_s)
        try:
            _connect(end, path)
            end.sendall(_LENGTH.pack(len(body)) + body)
            (size,) = _LENGTH.unpack(_read_exactly(end, _LENGTH.size))
            return _decode(_read_exactly(end, size))
        except TimeoutError:
            raise NotReachable(
                f"the agent did not answer within {timeout_s:g} s", hint="ask for less, or look into log/agent.log"
            ) from None
        except PermissionError:
            raise NotReachable(f"{path} may not be opened by this user", hint="run the command as the node's user or as root") from None
        except OSError as error:
            raise NotReachable(f"no agent answers at {path}: {error.strerror or error}", hint=_START) from error


def _connect(end: socket.socket, path: Path) -> None:
    """Through the folder's descriptor, because the kernel takes addresses of at most 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        end.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _decode(body: bytes) -> Answer:
    try:
        answer: Answer = msgspec.msgpack.decode(body, type=Answer)
        return answer
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ProtocolError(f"not an answer: {error}", hint="command and agent must be of one version; restart the node") from error


def _read_exactly(end: socket.socket, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = end.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionResetError("the agent closed the connection")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
