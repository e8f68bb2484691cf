"""Two versions side by side: greetings read either way, the protocol both speak, and kinds of questions that one does not know."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ProtocolError, Refused
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.model.questions import AskStatus
from holdfast.wire.codec import decode_hub, encode
from holdfast.wire.hub_messages import OLDEST_PROTOCOL, PROTOCOL, Asked, Hello, Unread, Welcome
from holdfast.wire.skew import check_known, negotiated
from tests.wire import protocol_1

HELLO = Hello(environment=EnvironmentId("e" * 32), node=NodeId("c" * 32), generation=3, version="1", time_ns=5, newest=PROTOCOL)


class AskNews(msgspec.Struct, frozen=True, tag=True):
    of: str = "tomorrow"


class AskedNews(msgspec.Struct, frozen=True, tag="Asked"):
    number: int
    question: AskNews


def test_a_node_of_the_version_before_is_let_in_and_hears_its_own_words() -> None:
    old = protocol_1.Hello(environment="e" * 32, node="c" * 32, generation=3, version="0.9", time_ns=5, name="files1")
    hello = decode_hub(msgspec.msgpack.encode(old))
    assert isinstance(hello, Hello)
    assert (hello.name, negotiated(hello)) == ("files1", 1)
    welcome = encode(Welcome(time_ns=7, epoch=2, protocol=1))
    assert msgspec.msgpack.decode(welcome, type=protocol_1.Welcome).epoch == 2


def test_a_node_of_this_version_is_let_in_by_the_master_before() -> None:
    assert protocol_1.is_let_in(encode(HELLO))
    welcome = decode_hub(msgspec.msgpack.encode(protocol_1.Welcome(time_ns=7, since_ns=1)))
    assert isinstance(welcome, Welcome)
    assert (welcome.protocol, welcome.since_ns) == (1, 1)
    assert negotiated(HELLO) == PROTOCOL


@given(st.integers(-5, 9), st.integers(-5, 9))
def test_both_speak_what_was_chosen_or_one_is_told_to_upgrade(oldest: int, newest: int) -> None:
    hello = msgspec.structs.replace(HELLO, protocol=oldest, newest=newest)
    ours = set(range(OLDEST_PROTOCOL, PROTOCOL + 1))
    theirs = set(range(oldest, max(oldest, newest) + 1))
    if both := ours & theirs:
        assert negotiated(hello) == max(both)
        return
    with pytest.raises(ProtocolError, match="speaks protocol") as refused:
        negotiated(hello)
    assert ("upgrade the Master" if oldest > PROTOCOL else "upgrade the node") in str(refused.value.hint)


def test_a_question_of_an_unknown_kind_is_told_by_its_number() -> None:
    assert decode_hub(msgspec.msgpack.encode(AskedNews(7, AskNews()))) == Unread(kind="Asked", number=7, what="AskNews")
    asked = Asked(number=8, question=AskStatus())
    assert decode_hub(encode(asked)) == asked
    for broken in ({"type": "Asked", "number": 7, "question": {"type": "AskJobs", "limit": "x"}}, {"type": "News", "number": 1}, 7):
        with pytest.raises(ProtocolError):
            decode_hub(msgspec.msgpack.encode(broken))


def test_what_came_later_is_not_asked_of_an_older_node() -> None:
    since = {"AskNews": 2}
    check_known("AskNews", 2, since)
    check_known("AskStatus", 1, since)
    with pytest.raises(Refused, match="older version"):
        check_known("AskNews", 1, since)
