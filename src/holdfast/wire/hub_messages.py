"""Messages of the session between a node and its Master. Protocol versions 1 and 2 (`wire.skew`).

The node dials and says Hello; the Master says Welcome and, where the node's generation is old, Push. A Master that was restored from its
backup says so in Welcome; a node ahead of it answers with InForce. From then on both speak freely:
reports are numbered and acknowledged (the node keeps them until then), questions are answered by number, progress is fire and forget.
"""

from __future__ import annotations

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.model.audit import Anchor
from holdfast.model.jobs import Event, Finding, Job, Progress
from holdfast.model.questions import Answer, Question
from holdfast.model.rules import SignedRules

OLDEST_PROTOCOL, PROTOCOL = 1, 2
"""What this version speaks: its own, and that of the minor version before it."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


class Hello(_Message, frozen=True, kw_only=True):
    """`generation` is that of the rules in force (0 = none). `data_address` is where the node's data server listens. `anchors`: what
    it keeps of the Master's audit log. `epoch`: the highest of a Master that it has followed. `name`: what it was called when it joined.

    `protocol` is the oldest it speaks, since a Master of protocol 1 takes no other number than its own, `newest` the newest. What is not
    written is protocol 1, whatever version reads it."""

    environment: EnvironmentId
    node: NodeId
    generation: int
    version: str
    time_ns: int
    data_address: str = ""
    findings: tuple[Finding, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    epoch: int = 0
    name: str = ""
    protocol: int = 1
    newest: int = 0


class Welcome(_Message, frozen=True, kw_only=True):
    """`audit`: the newest record of the audit log, for the node to keep. `epoch`: 0, or that of a Master restored from its backup; of two
    Masters a node follows the one with the higher. Such a one lacks what happened since `since_ns`, and its records know the node's rules
    up to `generation` (-1 = not said). `protocol`: what both speak from now on."""

    time_ns: int
    audit: Anchor | None = None
    epoch: int = 0
    since_ns: int = 0
    generation: int = -1
    protocol: int = 1


class InForce(_Message, frozen=True, kw_only=True):
    """The node's rules, as this Master's authority signed them before it was restored: newer than what it knows."""

    rules: SignedRules


class Push(_Message, frozen=True, kw_only=True):
    """Take these rules. The node answers Confirmed."""

    rules: SignedRules


class Confirmed(_Message, frozen=True, kw_only=True):
    """`problems` empty = in force. Otherwise the old rules stay and each problem says what this machine refuses and why."""

    generation: int
    problems: tuple[ErrorFacts, ...] = ()


class Report(_Message, frozen=True, kw_only=True):
    """Numbered per node, rising, sent in order, again after a reconnect until acknowledged."""

    number: int
    jobs: tuple[Job, ...] = ()
    events: tuple[Event, ...] = ()


class Received(_Message, frozen=True, kw_only=True):
    """All reports up to `number` are in the Master's records. `audit`: as in `Welcome`, as of now."""

    number: int
    audit: Anchor | None = None


class Asked(_Message, frozen=True, kw_only=True):
    number: int
    question: Question


class Answered(_Message, frozen=True, kw_only=True):
    number: int
    answer: Answer


class Progressed(_Message, frozen=True, kw_only=True):
    progress: tuple[Progress, ...]


class Farewell(_Message, frozen=True, kw_only=True):
    """The session ends on purpose: revoked, replaced, shutting down."""

    error: ErrorFacts


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """Never sent: a question or an answer (`kind` of message, its number) of a kind, `what`, that this version does not know."""

    kind: str
    number: int
    what: str


FromMaster = Welcome | Push | Received | Asked | Farewell
Spoken = Hello | Welcome | InForce | Push | Confirmed | Report | Received | Asked | Answered | Progressed | Farewell
HubMessage = Spoken | Unread
"""What is heard."""
