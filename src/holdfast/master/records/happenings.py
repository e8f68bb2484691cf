"""Jobs and events as nodes report them, and triggers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Select, func, literal, select, update
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.core.ids import JobId, NodeId
from holdfast.master.records import reported
from holdfast.master.records.tables import EventRow, JobRow, JobSubjectRow, JobTagRow, TriggerRow
from holdfast.model.jobs import ENDED, Event, Job, State
from holdfast.model.sight import SEES_ALL, Sight

LOG_SESSION = "log session"
"""In the `info` of a session: in which session of the log this Master is."""


def record_jobs(session: Session, node: NodeId, jobs: Iterable[Job]) -> None:
    """Take jobs of one node (`reported.record_jobs`)."""
    reported.record_jobs(session, ((node, job) for job in jobs))


def record_answered_jobs(session: Session, node: NodeId, jobs: tuple[Job, ...]) -> None:
    """Take jobs as their node answered. Unlike reports, answers come in no order with what else the node says: of a job that is known to
    have got further nothing is taken."""
    known = {job.id: job.state for job in jobs_by_id(session, (job.id for job in jobs))}
    record_jobs(session, node, [job for job in jobs if job.id not in known or _how_far(job.state) >= _how_far(known[job.id])])


def _how_far(state: State) -> int:
    """A job that is taken for lost may turn up again, in whatever state."""
    if state is State.UNKNOWN:
        return 0
    return 3 if state in ENDED else 1 if state is State.QUEUED else 2


def record_events(session: Session, node: NodeId, events: Iterable[Event]) -> None:
    """Take events of one node (`reported.record_events`)."""
    reported.record_events(session, ((node, event) for event in events))


def record_own_events(session: Session, node: NodeId, events: Iterable[Event]) -> None:
    """Lines that this Master writes itself, whatever node they are about."""
    own = session.info.get(LOG_SESSION, "")
    record_events(session, node, (msgspec.structs.replace(event, session=own) for event in events))


def mark_lost(session: Session, job: JobId) -> bool:
    """Its node does not know it any more: how it ended is unknown. False = it had ended before, and stays as it is."""
    record = session.scalar(select(JobRow.record).where(JobRow.id == job))
    if record is None:
        return True
    known = _job(record)
    if known.state in ENDED:
        return False
    lost = msgspec.json.encode(msgspec.structs.replace(known, state=State.UNKNOWN))
    changed = update(JobRow).where(JobRow.id == job).values(state=State.UNKNOWN.value, record=lost)
    session.execute(changed.execution_options(synchronize_session=False))
    reported.note_states(session, ((job, State.UNKNOWN),))
    return True


def over(session: Session, jobs: Iterable[JobId]) -> frozenset[JobId]:
    """Of these jobs, those of which nothing more will come."""
    states = [state.value for state in (*ENDED, State.UNKNOWN)]
    query = select(JobRow.id).where(JobRow.id.in_(tuple(jobs)), JobRow.state.in_(states))
    return frozenset(JobId(job) for job in session.scalars(query))


@dataclass(frozen=True, kw_only=True)
class JobChoice:
    """Which jobs: those that meet all that is given. `subject`: a rule or dataset by name. `any_of`: what a flow's jobs are about, or the
    triggers of that flow that started them. `before`: an id; only jobs that are listed behind it. `tag`: one that they inherited."""

    node: NodeId | None = None
    state: State | None = None
    trigger: str = ""
    subject: str = ""
    flow: str = ""
    flow_subjects: frozenset[str] = frozenset()
    before: JobId | None = None
    tag: str = ""
    sight: Sight = SEES_ALL


def jobs(session: Session, *, limit: int, choice: JobChoice | None = None) -> tuple[Job, ...]:
    """Newest first. Raises `UnknownName` when `before` is no job."""
    wanted = choice or JobChoice()
    # Where a subject is given its own index leads, in the order wanted.
    by_subject = bool(wanted.subject)
    created_at, identity = (JobSubjectRow.created_at, JobSubjectRow.job) if by_subject else (JobRow.created_at, JobRow.id)
    query = select(JobRow.record).order_by(created_at.desc(), identity).limit(limit)
    if by_subject:
        query = query.join(JobSubjectRow, JobSubjectRow.job == JobRow.id).where(JobSubjectRow.subject == wanted.subject)
    if wanted.node is not None:
        query = query.where(JobRow.node == wanted.node)
    if wanted.state is not None:
        query = query.where(JobRow.state == wanted.state.value)
    if wanted.trigger:
        query = query.where(JobRow.trigger == wanted.trigger)
    if wanted.tag:
        query = query.where(JobRow.id.in_(select(JobTagRow.job).where(JobTagRow.tag == wanted.tag)))
    if wanted.flow:
        about = select(JobSubjectRow.job).where(JobSubjectRow.subject.in_(wanted.flow_subjects))
        started = select(TriggerRow.id).where(TriggerRow.flow == wanted.flow)
        query = query.where(JobRow.id.in_(about) | JobRow.trigger.in_(started))
    query = _within(query, wanted.sight)
    if wanted.before is not None:
        last = session.execute(select(JobRow.id, JobRow.created_at).where(JobRow.id == wanted.before)).one_or_none()
        if last is None:
            raise UnknownName(f"there is no job {wanted.before!r} to go on behind", hint="begin again without it", job=wanted.before)
        behind = (created_at == last.created_at) & (identity > last.id)
        query = query.where((created_at < last.created_at) | behind)
    return tuple(_job(record) for record in session.scalars(query))


def _within(query: Select[bytes], sight: Sight) -> Select[bytes]:
    """As `Sight.has_job`: those of its machines, and those that are about its datasets and no others."""
    if sight.everything:
        return query
    subject = select(JobSubjectRow.job).where(JobSubjectRow.job == JobRow.id)
    about = subject.where(JobSubjectRow.subject.in_(sight.dataset_labels))
    others = subject.where(JobSubjectRow.subject != JobRow.rule, JobSubjectRow.subject.not_in(sight.dataset_labels))
    return query.where(JobRow.node.in_(sight.nodes) | (about.exists() & ~others.exists()))


def jobs_of_trigger(session: Session, trigger: str, also: frozenset[JobId]) -> tuple[Job, ...]:
    """Jobs that name this trigger, and those of `also`; oldest first."""
    query = select(JobRow.record).where((JobRow.trigger == trigger) | JobRow.id.in_(also)).order_by(JobRow.created_at, JobRow.id)
    return tuple(_job(record) for record in session.scalars(query))


def job_by_prefix(session: Session, prefix: str, sight: Sight) -> Job:
    """The one job within sight whose id begins so; raises `UnknownName` when none does, or several do."""
    query = _within(select(JobRow.record).where(JobRow.id.startswith(prefix, autoescape=True)), sight)
    records = session.scalars(query.limit(2)).all()
    if len(records) != 1 or not prefix:
        found = "several jobs begin" if records else "no job begins"
        raise UnknownName(f"{found} with {prefix!r}", hint="`holdfast jobs` lists them", job=prefix)
    return _job(records[0])


def last_event(session: Session) -> int:
    """The number of the newest event; 0 = there is none."""
    return session.scalar(select(func.max(EventRow.number))) or 0


def events_after(session: Session, number: int, limit: int) -> tuple[tuple[int, Event], ...]:
    """Events recorded after that one, with their numbers, oldest first."""
    query = select(EventRow.number, EventRow.record).where(EventRow.number > number).order_by(EventRow.number).limit(limit)
    return tuple((number, msgspec.json.decode(record, type=Event)) for number, record in session.execute(query))


def jobs_by_id(session: Session, ids: Iterable[str]) -> tuple[Job, ...]:
    """Those of them that are there, oldest first."""
    query = select(JobRow.record).where(JobRow.id.in_(tuple(ids))).order_by(JobRow.created_at, JobRow.id)
    return tuple(_job(record) for record in session.scalars(query))


def nodes_of(session: Session, jobs: Iterable[str]) -> dict[JobId, NodeId]:
    """Whose these jobs are, of those that are there."""
    rows = session.execute(select(JobRow.id, JobRow.node).where(JobRow.id.in_(tuple(jobs))))
    return {JobId(job): NodeId(node) for job, node in rows}


def open_jobs(session: Session, limit: int) -> tuple[Job, ...]:
    """Jobs of which more is to come, newest first."""
    over = [state.value for state in (*ENDED, State.UNKNOWN)]
    query = select(JobRow.record).where(JobRow.state.not_in(over)).order_by(JobRow.created_at.desc(), JobRow.id).limit(limit)
    return tuple(_job(record) for record in session.scalars(query))


def nodes_at(session: Session, kind: str, since: datetime) -> frozenset[NodeId]:
    """Nodes with a job of this kind that was created after that and of which more is to come."""
    still = [state.value for state in State if state not in ENDED and state is not State.UNKNOWN]
    query = select(JobRow.record).where(JobRow.state.in_(still), JobRow.created_at > since)
    found = (_job(record) for record in session.scalars(query))
    return frozenset(job.node for job in found if job.kind == kind)


def job_states(session: Session, since: datetime) -> dict[State, int]:
    """How many jobs are in each state; of those that ended, how many were created after that."""
    over = [state.value for state in ENDED]
    query = select(JobRow.state, func.count()).where(JobRow.state.not_in(over) | (JobRow.created_at > since)).group_by(JobRow.state)
    return {State(row[0]): row[1] for row in session.execute(query)}


def ended_since(session: Session, since: datetime) -> tuple[Job, ...]:
    """Jobs created after that which are over, oldest first."""
    query = select(JobRow.record).where(JobRow.created_at > since, JobRow.ended_at.is_not(None)).order_by(JobRow.created_at, JobRow.id)
    return tuple(_job(record) for record in session.scalars(query))


def jobs_about(session: Session, subject: str, since: datetime) -> tuple[Job, ...]:
    """Jobs about a rule or dataset that were created after that and are over, oldest first."""
    about = select(JobRow.record).join(JobSubjectRow, JobSubjectRow.job == JobRow.id).where(JobSubjectRow.subject == subject)
    query = about.where(JobSubjectRow.created_at > since, JobRow.ended_at.is_not(None)).order_by(JobSubjectRow.created_at)
    return tuple(_job(record) for record in session.scalars(query))


def newest_jobs_about(session: Session, subject: str, before: datetime, limit: int) -> tuple[Job, ...]:
    """Jobs about a rule or dataset that were created before that and are over, newest first."""
    about = select(JobRow.record).join(JobSubjectRow, JobSubjectRow.job == JobRow.id).where(JobSubjectRow.subject == subject)
    query = about.where(JobSubjectRow.created_at < before, JobRow.ended_at.is_not(None)).order_by(JobSubjectRow.created_at.desc())
    return tuple(_job(record) for record in session.scalars(query.limit(limit)))


class StoredTrigger(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    flow: str
    created_at: datetime
    done: bool
    record: bytes


def save_trigger(session: Session, trigger: StoredTrigger) -> None:
    session.merge(TriggerRow(id=trigger.id, flow=trigger.flow, created_at=trigger.created_at, done=trigger.done, record=trigger.record))


def trigger(session: Session, trigger_id: str) -> StoredTrigger:
    row = session.get(TriggerRow, trigger_id)
    if row is None:
        raise UnknownName(f"there is no trigger {trigger_id!r}", hint="`holdfast jobs` lists what ran", trigger=trigger_id)
    return StoredTrigger(id=row.id, flow=row.flow, created_at=row.created_at, done=row.done, record=row.record)


def was_triggered(session: Session, flow: str) -> bool:
    return session.scalar(select(TriggerRow.id).where(TriggerRow.flow == flow).limit(1)) is not None


def open_triggers(session: Session) -> tuple[StoredTrigger, ...]:
    rows = session.scalars(select(TriggerRow).where(TriggerRow.done.is_(False)))
    return tuple(StoredTrigger(id=row.id, flow=row.flow, created_at=row.created_at, done=row.done, record=row.record) for row in rows)


def rename_subjects(session: Session, old: str, new: str) -> None:
    """Jobs of a node's datasets are found by what the datasets are called now. The jobs themselves stay as they were told."""
    renamed = literal(f"{new}/") + func.substr(JobSubjectRow.subject, len(old) + 2)
    ours = JobSubjectRow.subject.startswith(f"{old}/", autoescape=True)
    session.execute(update(JobSubjectRow).where(ours).values(subject=renamed).execution_options(synchronize_session=False))


def _job(record: bytes) -> Job:
    return msgspec.json.decode(record, type=Job)
