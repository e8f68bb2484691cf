"""Work takes turns: nobody waits for somebody else's end, and one that fails holds up no other."""

from __future__ import annotations

import threading

from holdfast.node.workers.turns import Turns
from holdfast.testing.waiting import wait_for


def test_a_short_one_is_done_between_the_turns_of_a_long_one() -> None:
    turns, order = Turns("test"), list[str]()
    may_end = threading.Event()

    def long() -> bool:
        order.append("long")
        return may_end.is_set()

    def short() -> bool:
        order.append("short")
        may_end.set()
        return True

    def broken() -> bool:
        raise ValueError("a fault of its own")

    turns.add(long)
    turns.add(broken)
    turns.add(short)
    wait_for(lambda: order[-1:] == ["long"] and may_end.is_set())
    assert order.count("short") == 1
    turns.add(short)
    wait_for(lambda: order[-1:] == ["short"])
    turns.close()


def test_closing_drops_what_waits() -> None:
    turns = Turns("test")
    begun, may_go_on = threading.Event(), threading.Event()

    def blocking() -> bool:
        begun.set()
        may_go_on.wait(60)
        return False

    turns.add(blocking)
    assert begun.wait(60)
    closing = threading.Thread(target=turns.close)
    closing.start()
    wait_for(lambda: turns._closed)
    may_go_on.set()
    closing.join(100)
    assert not closing.is_alive()
    turns.add(lambda: (_ for _ in ()).throw(AssertionError("nothing is begun any more")))
    assert turns._thread is None
