"""What everybody does who asks in a session of the Read method: take the next answer, or learn why there is none."""

from __future__ import annotations

from holdfast.core.errors import NotReachable, ProtocolError, error_from
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import DataMessage, OpenCopy, OpenedRead, OpenRead, Stopped


def open_session(channel: Channel, opening: OpenRead | OpenCopy) -> OpenedRead:
    """Raises what the owner answers: `NotGranted`, `UnknownName`, ..."""
    channel.send(opening)
    answer = next_answer(channel)
    if not isinstance(answer, OpenedRead):
        raise out_of_place(channel, answer)
    return answer


def next_answer(channel: Channel) -> DataMessage:
    """Raises the error with which the owner ends the session, `NotReachable` when it is gone."""
    message = channel.receive()
    if message is None:
        raise NotReachable(f"{channel.peer} ended the session", hint="see its log")
    if isinstance(message, Stopped):
        raise error_from(message.error)
    return message


def out_of_place(channel: Channel, message: DataMessage) -> ProtocolError:
    return ProtocolError(
        f"{channel.peer}: {type(message).__name__} has no place here", hint="both machines must run versions that understand each other"
    )
