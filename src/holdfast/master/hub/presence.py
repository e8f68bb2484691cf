"""Which nodes are there: connected, and answering.

The question that gRPC puts by itself (`wire.grpc_options`) is answered by its own threads. It tells that a machine is gone or a process was
stopped, not that an agent lives and does nothing more: so the hub asks those of whom it hears nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

from holdfast.core.ids import NodeId
from holdfast.master.hub.sessions import Session

LOOK_EVERY_S = 5.0
MOST_ASKED = 500
"""At one look: of ten thousand idle nodes each is asked every 100 s."""
SILENT = "the node is connected and answers nothing"
SILENT_HINT = "its agent stands still: see whether the disks of that machine answer and what its log says; restart it if it does not go on"


class Presence(NamedTuple):
    """`silent` nodes are connected and answer nothing; they are not `online`."""

    online: Collection[NodeId] = frozenset()
    silent: Collection[NodeId] = frozenset()

    def word(self, node: NodeId) -> Literal["online", "silent", "offline"]:
        """As people see it."""
        return "online" if node in self.online else "silent" if node in self.silent else "offline"


class Looked(NamedTuple):
    """What one look came to: who is to be asked for a sign of life, and who is silent from now on."""

    to_ask: list[Session]
    fell_silent: list[Session]


def look(sessions: Iterable[Session]) -> Looked:
    """Counts this look for all of them. Those that were quiet longest are asked first."""
    every = list(sessions)
    fell_silent = [session for session in every if session.signs.look()]
    quiet = sorted((each for each in every if each.signs.wants_asking), key=lambda each: each.signs.quiet, reverse=True)
    return Looked(quiet[:MOST_ASKED], fell_silent)
