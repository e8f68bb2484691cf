"""What everybody does who asks in a session of the Read method: take the next answer, or learn why there is none."""

from __future__ import annotations

from holdfast.core.errors import NotReachable, ProtocolError, error_from
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import DataMessage, OpenArchive, OpenCopy, OpenedRead, OpenRead, Stopped


def open_session(channel: Channel, opening: OpenRead | OpenCopy | OpenArchive, answer_s: float | None = None) -> OpenedRead:
    """Raises what the owner answers: `NotGranted`, `UnknownName`, ...; see `next_answer`."""
    channel.send(opening)
    answer = next_answer(channel, answer_s)
    if not isinstance(answer, OpenedRead):
        raise out_of_place(channel, answer)
    return answer


def next_answer(channel: Channel, answer_s: float | None = None) -> DataMessage:
    """Raises the error with which the owner ends the session, `NotReachable` when it is gone, or says nothing for `answer_s`."""
    message = channel.receive(answer_s)
    if message is None:
        raise NotReachable(f"{channel.peer} ended the session", hint="see its log")
    if isinstance(message, Stopped):
        raise error_from(message.error)
    return message


def out_of_place(channel: Channel, message: DataMessage) -> ProtocolError:
    return ProtocolError(
        f"{channel.peer}: {type(message).__name__} has no place here", hint="both machines must run versions that understand each other"
    )
