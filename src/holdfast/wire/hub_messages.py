"""Messages of the session between a node and its Master. Protocol version 1.

The node dials and says Hello; the Master says Welcome and, where the node's generation is old, Push. From then on both speak freely:
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

PROTOCOL = 1


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


class Hello(_Message, frozen=True, kw_only=True):
    """`generation` is that of the rules in force (0 = none). `data_address` is where the node's data server listens. `anchors`: what
    it keeps of the Master's audit log."""

    environment: EnvironmentId
    node: NodeId
    generation: int
    version: str
    time_ns: int
    data_address: str = ""
    findings: tuple[Finding, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    protocol: int = PROTOCOL


class Welcome(_Message, frozen=True, kw_only=True):
    """`audit`: the newest record of the audit log, for the node to keep."""

    time_ns: int
    audit: Anchor | None = None


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


FromMaster = Welcome | Push | Received | Asked | Farewell
HubMessage = Hello | Welcome | Push | Confirmed | Report | Received | Asked | Answered | Progressed | Farewell
