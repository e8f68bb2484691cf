"""Master and nodes of different versions: which protocol they speak together, and what one does with words it does not know.

A node says Hello in the words of the oldest protocol it speaks, which every Master knows that speaks that one, and names the newest. The
Master chooses, and says in Welcome what. From protocol 2 on a question or answer of an unknown kind does not end the session: whoever
cannot read it says so, by its number. A question that came later than the protocol of a session is not asked at all.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping

import msgspec

from holdfast.core.errors import ProtocolError, Refused
from holdfast.model.questions import Answer, Question
from holdfast.wire.hub_messages import OLDEST_PROTOCOL, PROTOCOL, Hello, Unread

QUESTIONS_SINCE: Mapping[str, int] = {}
"""By the name of a question, the protocol that brought it; 1 where it is not here. Whoever adds a question after a release adds it here."""
_INNER = {"Asked": ("question", Question), "Answered": ("answer", Answer)}


def negotiated(hello: Hello) -> int:
    """The newest protocol that both speak. Raises `ProtocolError` when there is none, and says which of the two is to be upgraded."""
    newest = max(hello.newest, hello.protocol)
    if hello.protocol > PROTOCOL:
        hint = "upgrade the Master first, then its nodes"
        raise ProtocolError(f"the node speaks protocol {hello.protocol} and newer, this Master up to {PROTOCOL}", hint=hint)
    if newest < OLDEST_PROTOCOL:
        hint = "upgrade the node: one minor version of difference is supported"
        raise ProtocolError(f"the node speaks protocol {newest} and older, this Master from {OLDEST_PROTOCOL} on", hint=hint)
    return min(newest, PROTOCOL)


def check_known(question: str, protocol: int, since: Mapping[str, int] = QUESTIONS_SINCE) -> None:
    """Raises `Refused` for a question (by its name) that a node of this protocol would not know."""
    if since.get(question, 1) > protocol:
        hint = "`holdfast nodes --upgrade-order` shows whose turn it is"
        raise Refused("the node is of an older version, which does not know how to do this", hint=hint, question=question)


def unread(data: bytes) -> Unread | None:
    """What of a message can be told when its question or answer is of a kind unknown here; None when it is no such message."""
    try:
        fields = msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("number"), int):
        return None
    key, union = _INNER.get(str(fields.get("type")), ("", None))
    inner = fields.get(key)
    what = inner.get("type") if isinstance(inner, dict) else None
    if not isinstance(what, str) or what in {kind.__name__ for kind in typing.get_args(union)}:
        return None
    return Unread(kind=str(fields["type"]), number=fields["number"], what=what[:64])
