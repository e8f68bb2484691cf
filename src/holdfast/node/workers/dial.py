"""Reaching the data server of another node, or of this one without leaving the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from holdfast.core.errors import NotReachable
from holdfast.core.ids import NodeId
from holdfast.model.rules import Rules
from holdfast.wire.channel import Channel
from holdfast.wire.data_client import Method, dial
from holdfast.wire.identity import load_credentials
from holdfast.wire.lines import Lines, ask_for_line
from holdfast.wire.local import dial_local
from holdfast.wire.queue_channel import QueueChannel

# A node's workers start side by side, and its first job may be due before the store worker listens; so may one after it crashed.
_OWN_TRIES = 25
_OWN_PAUSE_S = 0.2


def data_socket(home: Path) -> Path:
    """Where this node's store worker takes sessions of this node's own processes."""
    return home / "run" / "data.sock"


class Dialler:
    """Dials by the rules in force when it was made. Credentials are read at each call, so that a renewed certificate is used at once.

    Who dials us by the rules is not dialled: a line of theirs is taken, from `lines` in the process that has the data server, through it
    elsewhere.
    """

    def __init__(self, home: Path, rules: Rules, wait: Callable[[float], object] = time.sleep, *, lines: Lines | None = None) -> None:
        self._home = home
        self._wait = wait
        self._lines = lines
        self._awaited = rules.awaited()
        self._rules = rules
        self._addresses = {peer.id: peer.address for peer in rules.peers}
        self._names = {peer.id: peer.name for peer in rules.peers}

    def deliver(self, receiver: NodeId) -> Channel:
        """Raises `NotReachable` or `Refused`."""
        return self._dial(receiver, "Deliver", self._addresses.get(receiver, ""))

    def read(self, owner: NodeId, address: str = "") -> Channel:
        """`address` is used where the rules know none: an order carries its owner's."""
        return self._dial(owner, "Read", self._addresses.get(owner, "") or address)

    def line(self, sender: NodeId) -> QueueChannel:
        """A line to a node that sends here, on which it will speak first. Raises `NotReachable` or `Refused`."""
        return dial(self._address(sender, self._addresses.get(sender, "")), load_credentials(self._home / "identity"), sender, "Line")

    def _dial(self, peer: NodeId, method: Method, address: str) -> Channel:
        if peer == self._rules.node:
            return self._dial_own(method)
        if peer in self._awaited:
            name = self._names.get(peer, peer)
            return self._lines.take(peer, name) if self._lines is not None else ask_for_line(self._dial_own("Line"), peer)
        return dial(self._address(peer, address), load_credentials(self._home / "identity"), peer, method)

    def _address(self, peer: NodeId, address: str) -> str:
        if not address:
            raise NotReachable(
                f"no address is known of {self._names.get(peer, peer)}",
                hint="see that its agent runs and has reached the Master once, or write its address into the environment",
            )
        return address

    def _dial_own(self, method: Method) -> Channel:
        for _ in range(_OWN_TRIES - 1):
            try:
                return dial_local(data_socket(self._home), method, self._rules.node)
            except NotReachable:
                self._wait(_OWN_PAUSE_S)
        return dial_local(data_socket(self._home), method, self._rules.node)
