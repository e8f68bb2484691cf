"""The hub: every connected node has one session here. Rules go out, reports come in, questions are put.

A session of a node: Hello, checked against records and certificate -> Welcome -> Push when the node's rules are old -> then both speak
freely. Reports are in the records, in one transaction each, before they are acknowledged. A node that waits to be authorised is kept
without a Welcome for a while, so that it is in at once when somebody lets it in; then it is sent away and comes again by itself.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace
from sqlalchemy.orm import Session as Transaction

from holdfast.core.errors import (
    ErrorFacts,
    HoldfastError,
    NotAuthorised,
    NotReachable,
    ProtocolError,
    Refused,
    error_from,
)
from holdfast.core.ids import JobId, NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub import readopting
from holdfast.master.hub.presence import LOOK_EVERY_S, SILENT, SILENT_HINT, Presence, look
from holdfast.master.hub.sessions import NodeStream, Session
from holdfast.master.news import Subject
from holdfast.master.people.audit import AuditLog
from holdfast.master.periodic import repeat
from holdfast.master.records import happenings, inventory, reported
from holdfast.master.records.inventory import Sighting, StoredRules
from holdfast.model.jobs import ENDED, Event, Progress, Severity
from holdfast.model.questions import Answer, Failed, Question
from holdfast.model.rules import SignedRules
from holdfast.wire.hub_messages import Answered, Confirmed, Farewell, Hello, HubMessage, InForce, Progressed, Received, Report, Unread
from holdfast.wire.skew import negotiated

HELLO_TIMEOUT_S = 20.0
ASK_TIMEOUT_S = 10.0
HOLD_S = 12.0
"""Shorter than a node waits for its Welcome, longer than what it takes for a session that may be tried again at once."""
A = TypeVar("A")
_log = logging.getLogger(__name__)


_Admitted = tuple[StoredRules | None, int, bool]
"""The rules that a node must get, up to which generation the records know them, and whether its address is new."""


class Hub:
    def __init__(self, base: Foundation, audit: AuditLog) -> None:
        self._base = base
        self._audit = audit
        self._sessions: dict[NodeId, Session] = {}
        self._barred: set[str] = set()
        self._decided: dict[NodeId, asyncio.Event] = {}
        self._prods: set[asyncio.Task[None]] = set()
        self.hold_s = HOLD_S
        # The epoch of the Master that nodes follow instead of this one; 0 = they follow this one.
        self.superseded = 0
        # Called when a node told of jobs or events, and they are in the records.
        self.on_report: Callable[[NodeId], None] = lambda _: None
        # Set when a node joined, moved or was revoked: the rules of others name its address and grant it things.
        self.moved = asyncio.Event()

    async def load(self) -> None:
        """Learn from the records whose keys are revoked. To be called before the first session."""
        self._barred.update(await self._base.database.run(inventory.revoked_keys))

    def is_barred(self, key_id: str) -> bool:
        return key_id in self._barred

    def online(self) -> frozenset[NodeId]:
        """Connected, and not silent."""
        return frozenset(node for node, session in self._sessions.items() if not session.signs.is_silent)

    def presence(self) -> Presence:
        return Presence(self.online(), frozenset(node for node, session in self._sessions.items() if session.signs.is_silent))

    @property
    def sessions(self) -> int:
        return len(self._sessions)

    async def watch(self) -> None:
        """Until cancelled: see which nodes answer."""
        await repeat(self.look, LOOK_EVERY_S, _log, "it could not be looked which nodes answer", first_s=LOOK_EVERY_S)

    async def look(self) -> None:
        """Once in `LOOK_EVERY_S`. Whoever says nothing is asked for a sign of life, and is silent while none comes."""
        to_ask, fell_silent = look(self._sessions.values())
        for session in to_ask:
            # Each by itself: the line of one may take nothing more.
            prod = asyncio.create_task(session.prod())
            self._prods.add(prod)
            prod.add_done_callback(self._prods.discard)
        for session in fell_silent:
            await self._note_seen(session, seconds_ago=session.signs.quiet * LOOK_EVERY_S)
            self._base.news.tell(Subject("node", session.node))

    def host_of(self, node: NodeId) -> str:
        """The address it dials from; empty while it is away."""
        session = self._sessions.get(node)
        return session.host if session is not None else ""

    def key_of(self, node: NodeId) -> str:
        """Of the machine that is there; empty while it is away."""
        session = self._sessions.get(node)
        return session.key_id if session is not None else ""

    def reported_s(self, node: NodeId) -> float:
        """When it last told of jobs or events in this session, by the monotonic clock; -inf = it has not."""
        session = self._sessions.get(node)
        return session.reported_s if session is not None else -math.inf

    def moving(self) -> dict[tuple[NodeId, JobId], Progress]:
        """The live figures of all jobs whose nodes are there and tell some."""
        return {(node, job): figure for node, session in self._sessions.items() for job, figure in session.progress.items()}

    def progress(self, node: NodeId, job: JobId) -> Progress | None:
        """The live figure this node last told of a job of its own; None when it told none, or the job has ended."""
        session = self._sessions.get(node)
        return session.progress.get(job) if session is not None else None

    async def ask(self, node: NodeId, question: Question, timeout_s: float = ASK_TIMEOUT_S) -> Answer:
        """Raises `NotReachable` when the node is offline, silent, or does not answer in time."""
        session = self._session(node)
        if session.signs.is_silent:
            raise NotReachable(SILENT, hint=SILENT_HINT, node=node)
        return await session.ask(question, timeout_s)

    async def ask_for(self, node: NodeId, question: Question, kind: type[A], timeout_s: float = ASK_TIMEOUT_S) -> A:
        """As `ask`, for one kind of answer; the error a node answers with is raised here."""
        answer = await self.ask(node, question, timeout_s)
        if isinstance(answer, Failed):
            raise error_from(answer.error)
        if not isinstance(answer, kind):
            raise ProtocolError(f"the node answered {type(answer).__name__} to {type(question).__name__}", node=node)
        return answer

    async def push(self, node: NodeId, generation: int, rules: SignedRules, timeout_s: float) -> Confirmed:
        """Raises `NotReachable`. The answer is in the records when this returns."""
        return await self._session(node).push(generation, rules, timeout_s)

    async def bar(self, key_id: str, node: NodeId, error: HoldfastError) -> None:
        """Never again this key: its session ends, and it opens no other."""
        self._barred.add(key_id)
        session = self._sessions.get(node)
        if session is not None and session.key_id == key_id:
            await self.dismiss(node, error)

    def decided(self, node: NodeId) -> None:
        """Whether a waiting node comes in is in the records now: look again."""
        decided = self._decided.pop(node, None)
        if decided is not None:
            decided.set()

    async def dismiss(self, node: NodeId, error: HoldfastError) -> None:
        """End the node's session, if it has one."""
        session = self._sessions.pop(node, None)
        if session is not None:
            await session.dismiss(error)

    async def close(self) -> None:
        away = NotReachable("the Master is shutting down", hint="the node works on and connects again by itself")
        await asyncio.gather(*(self.dismiss(node, away) for node in list(self._sessions)))

    async def serve(self, stream: NodeStream, host: str = "") -> None:
        """One session, from hello to its end. A node's fault is told to the node and logged. `host` is where it dials from."""
        session = Session(stream, host)
        try:
            hello = await self._hello(session)
            rules, known, has_moved = await self._let_in(session, hello, host)
            await self._replace(session)
            if has_moved:
                self.moved.set()
            welcome = readopting.welcome(self._base, rules, known, self._audit.head)
            await session.send(replace(welcome, protocol=session.protocol))
            self._base.news.tell(Subject("node", session.node))
            if rules is not None:
                await session.offer(rules.generation, rules.signed)
            await self._listen(session)
        except HoldfastError as error:
            level = logging.INFO if isinstance(error, NotAuthorised) else logging.WARNING
            _log.log(level, "a node's session ended", extra={"facts": {"node": session.node, "reason": error.message}})
            await session.dismiss(error)
        finally:
            await self._leave(session)

    async def _hello(self, session: Session) -> Hello:
        try:
            message = await asyncio.wait_for(session.receive(), HELLO_TIMEOUT_S)
        except TimeoutError:
            raise ProtocolError("no hello came") from None
        if not isinstance(message, Hello):
            raise ProtocolError("a session begins with Hello")
        session.protocol = negotiated(message)
        if message.environment != self._base.environment.id:
            raise Refused(
                "this node belongs to another environment",
                hint=f"join it to {self._base.environment.name!r} with `holdfast node join`",
            )
        if message.node != session.node:
            raise Refused("the node names an identity that its certificate does not show", hint="join the node again")
        if message.epoch > self._base.epoch:
            self.superseded = max(self.superseded, message.epoch)
            refused = await self._base.database.run(lambda s: readopting.refuse_if_superseded(s, self._base, message))
            raise refused or Refused("another Master has taken this one's place")
        return message

    async def _let_in(self, session: Session, hello: Hello, host: str) -> _Admitted:
        """Raises `NotAuthorised` when the node still waits after `hold_s`."""
        admitted = await self._base.database.run_together(lambda s: self._admit(s, session, hello, host))
        if admitted is None:
            self._base.news.tell(Subject("node", session.node))
            await self._hold(session)
            admitted = await self._base.database.run_together(lambda s: self._admit(s, session, hello, host))
        if admitted is None:
            raise NotAuthorised(
                "this node waits to be authorised", hint="`holdfast nodes authorise NAME` lets it in; compare its key first"
            )
        return admitted

    async def _hold(self, session: Session) -> None:
        """Until somebody decides about the node, `hold_s` have passed, or it goes away, which raises `NotReachable`."""
        deciding = asyncio.ensure_future(self._decided.setdefault(session.node, asyncio.Event()).wait())
        hearing = asyncio.ensure_future(session.receive())
        try:
            await asyncio.wait((deciding, hearing), timeout=self.hold_s, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                raise NotReachable("the node went away") if hearing.result() is None else ProtocolError("a node waits for its Welcome")
        finally:
            for waiting in (deciding, hearing):
                waiting.cancel()
            await asyncio.gather(deciding, hearing, return_exceptions=True)

    def _admit(self, transaction: Transaction, session: Session, hello: Hello, host: str) -> _Admitted | None:
        """Check the node against the records, write down what it says. None = it waits to be authorised."""
        node = readopting.known_node(transaction, self._base, session.node, session.key_id, hello)
        if node.state == inventory.REVOKED:
            raise Refused("this node is revoked", hint="join it again with a new token and --replace")
        sighting = Sighting(
            at=self._base.now(),
            generation=hello.generation,
            version=hello.version,
            clock_offset_ms=(hello.time_ns - self._base.clock.now_ns()) // 1_000_000,
            address=reachable(hello.data_address, host),
            findings=hello.findings,
        )
        inventory.record_sighting(transaction, node, sighting)
        self._audit.contradicted(transaction, node.id, hello.anchors)
        if node.state == inventory.WAITING:
            return None
        has_moved = sighting.address not in ("", node.address)
        rules, known = readopting.rules_to_push(transaction, self._base, node.id, hello.generation)
        return rules, known, has_moved

    async def _replace(self, session: Session) -> None:
        """A node has one session: the newest. An older one is a broken connection that nobody noticed yet."""
        older = self._sessions.pop(session.node, None)
        self._sessions[session.node] = session
        if older is not None:
            await older.dismiss(Refused("the node opened a newer session", hint="nothing to do: the newer one goes on"))

    async def _listen(self, session: Session) -> None:
        while (message := await session.receive()) is not None and not isinstance(message, Farewell):
            if session.signs.heard():
                self._base.news.tell(Subject("node", session.node))
            await self._take(session, message)

    async def _take(self, session: Session, message: HubMessage) -> None:
        match message:
            case Report():
                await self._base.database.run_with_others(_record, (session.node, message))
                session.reported_s = self._base.clock.monotonic_s()
                self.on_report(session.node)
                for job in message.jobs:
                    if job.state in ENDED:
                        session.progress.pop(job.id, None)
                await session.send(Received(number=message.number, audit=self._audit.head))
            case Confirmed(generation=generation, problems=problems):
                now = self._base.now()
                await self._base.database.run_together(lambda s: _judge(s, session.node, generation, problems, now))
                session.take(message)
            case Answered() | Progressed() | Unread():
                session.take(message)
            case InForce(rules=rules):
                await self._base.database.run(lambda s: readopting.take_in_force(s, self._base, session.node, rules))
            case _:
                raise ProtocolError(f"{type(message).__name__} has no place in a running session")
        if not isinstance(message, Answered):
            self._base.news.tell(*_subjects(session.node, message))

    async def _leave(self, session: Session) -> None:
        await session.close()
        if self._sessions.get(session.node) is session:
            del self._sessions[session.node]
            if not session.signs.is_silent:
                await self._note_seen(session)
            self._base.news.tell(Subject("node", session.node))

    async def _note_seen(self, session: Session, seconds_ago: float = 0.0) -> None:
        at = self._base.now() - timedelta(seconds=seconds_ago)
        try:
            await self._base.database.run_together(lambda s: inventory.record_seen(s, session.node, at))
        except HoldfastError as error:
            _log.warning(
                "when a node was last seen is not in the records", extra={"facts": {"node": session.node, "reason": error.message}}
            )

    def _session(self, node: NodeId) -> Session:
        session = self._sessions.get(node)
        if session is None:
            raise NotReachable("the node is not connected", hint="it connects by itself when it runs and reaches the Master", node=node)
        return session


def _subjects(node: NodeId, message: HubMessage) -> tuple[Subject, ...]:
    """What has changed by a message of the node."""
    match message:
        case Report(jobs=jobs, events=events):
            log = (Subject("log"),) if events else ()
            return (*(Subject("job", job.id) for job in jobs), *log)
        case Confirmed() | InForce():
            return (Subject("node", node), Subject("log"))
        case Progressed(progress=progress):
            return tuple(Subject("progress", item.job, node) for item in progress)
    return ()


def _record(transaction: Transaction, told: Sequence[tuple[NodeId, Report]]) -> None:
    reported.record_jobs(transaction, ((node, job) for node, report in told for job in report.jobs))
    reported.record_events(transaction, ((node, event) for node, report in told for event in report.events))


def _judge(transaction: Transaction, node: NodeId, generation: int, problems: tuple[ErrorFacts, ...], at: datetime) -> None:
    """A refusal is an event too: of rules that were pushed at hello nobody waits for the answer."""
    inventory.judge_rules(transaction, node, generation, problems)
    refusals = (
        Event(
            code="rules-refused",
            severity=Severity.ERROR,
            message=f"the node refuses generation {generation} of its rules: {problem.message}",
            node=node,
            time=at,
            facts={"code": problem.code, "hint": problem.hint},
        )
        for problem in problems
    )
    happenings.record_own_events(transaction, node, refusals)


def reachable(address: str, host: str) -> str:
    """Where other nodes dial: a node that listens on every address is reached at the one it dials us from."""
    name, _, port = address.rpartition(":")
    if name not in ("", "0.0.0.0", "[::]", "::", "*") or not host or not port:
        return address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
