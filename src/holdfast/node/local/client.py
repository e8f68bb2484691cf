"""Asking this machine's agent, blocking: what the command line uses when the Master is away, or for what never leaves the machine."""

from __future__ import annotations

from pathlib import Path

import msgspec

from holdfast.core.errors import NotReachable, ProtocolError
from holdfast.model.decoding import UNREADABLE
from holdfast.model.questions import Answer, Question
from holdfast.node.config import socket_path
from holdfast.node.workers.link import MAX_MESSAGE_BYTES
from holdfast.wire.framing import frame, receive_frame
from holdfast.wire.unix_socket import dial

_START = "start it with `holdfast up` or `holdfast node run`"


def has_agent(home: Path) -> bool:
    """Whether an agent of this home seems to run: its socket is there."""
    return socket_path(home).exists()


def ask(home: Path, question: Question, timeout_s: float = 60) -> Answer:
    """One question, one answer, a `Failed` among them. Raises `NotReachable` when no agent answers in time."""
    path = socket_path(home)
    try:
        with dial(path, timeout_s) as end:
            end.sendall(frame(msgspec.msgpack.encode(question)))
            body = receive_frame(end, MAX_MESSAGE_BYTES)
    except TimeoutError:
        raise NotReachable(f"the agent did not answer within {timeout_s:g} s", hint="ask for less, or look into log/agent.log") from None
    except PermissionError:
        raise NotReachable(f"{path} may not be opened by this user", hint="run the command as the node's user or as root") from None
    except OSError as error:
        raise NotReachable(f"no agent answers at {path}: {error.strerror or error}", hint=_START) from error
    if body is None:
        raise NotReachable("the agent hung up before it answered", hint="look into log/agent.log, then ask again")
    return _decode(body)


def _decode(body: bytes) -> Answer:
    try:
        answer: Answer = msgspec.msgpack.decode(body, type=Answer)
        return answer
    except UNREADABLE as error:
        raise ProtocolError(f"not an answer: {error}", hint="command and agent must be of one version; restart the node") from error
