"""The log, line by line: chosen, paged, acknowledged. Read and written within one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec
from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from holdfast.core.errors import UnknownName
from holdfast.core.ids import NodeId
from holdfast.master.records.tables import EventRow
from holdfast.model.jobs import Event, Severity

MOST_LOOKED_AT = 20_000
"""What is chosen by words is looked for in so many lines at once; the page then ends early, and says where to go on."""
_BATCH = 1_000


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`number` counts up in the order in which the Master heard of lines, for ever."""

    number: int
    event: Event
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    comment: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that one of `nodes` told, or in which one of `words` stands as in `LineChoice`."""

    nodes: frozenset[NodeId] = frozenset()
    words: tuple[str, ...] = ()


class LineChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that meet all that is given. `severity`: that one or worse. `words`: any of them, each in the message, code or facts, whatever
    its case; empty = all. `before`: numbers below it, 0 = all. `only`: lines of these nodes; None = of all, and of
    those that are gone. `session`: an id or the beginning of one. `told`: None = by and about whomever."""

    node: NodeId | None = None
    severity: Severity | None = None
    code: str = ""
    words: tuple[str, ...] = ()
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    acknowledged: bool | None = None
    before: int = 0
    only: tuple[NodeId, ...] | None = None
    session: str = ""
    told: Told | None = None


def lines(session: Session, choice: LineChoice, limit: int) -> tuple[tuple[Line, ...], int | None]:
    """Newest first, and the number to go on before; None = there are no more."""
    found: list[Line] = []
    before, looked_at = choice.before, 0
    fits = _fitting(choice)
    # Where every line fits, no more are read than are shown.
    batch = limit if fits is None else _BATCH
    while looked_at < MOST_LOOKED_AT:
        rows = session.scalars(_query(choice, before).limit(batch)).all()
        for row in rows:
            event = msgspec.json.decode(row.record, type=Event)
            if fits is None or fits(event):
                found.append(_line(row, event))
            before = row.number
            if len(found) >= limit:
                return tuple(found), before
        looked_at += len(rows)
        if len(rows) < batch:
            return tuple(found), None
    return tuple(found), before


def acknowledge(session: Session, numbers: Iterable[int], by: str, comment: str, at: datetime) -> int:
    """How many of them were acknowledged by this; those that were before stay as they are. Raises `UnknownName`."""
    wanted = sorted(set(numbers))
    known = set(session.scalars(select(EventRow.number).where(EventRow.number.in_(wanted))))
    if missing := [number for number in wanted if number not in known]:
        raise UnknownName(f"there is no line {missing[0]} in the log", hint="`holdfast logs` shows their numbers", line=str(missing[0]))
    open_ones = (EventRow.number.in_(wanted), EventRow.acknowledged_at.is_(None))
    count = session.scalar(select(func.count()).select_from(EventRow).where(*open_ones)) or 0
    session.execute(update(EventRow).where(*open_ones).values(acknowledged_at=at, acknowledged_by=by, comment=comment))
    return count


def open_errors(session: Session, since: datetime) -> int:
    """Errors of that time that nobody has acknowledged."""
    wanted = (EventRow.severity == Severity.ERROR.value, EventRow.time >= since, EventRow.acknowledged_at.is_(None))
    return session.scalar(select(func.count()).select_from(EventRow).where(*wanted)) or 0


def _query(choice: LineChoice, before: int) -> Select[EventRow]:
    query = select(EventRow).order_by(EventRow.number.desc())
    if before:
        query = query.where(EventRow.number < before)
    if choice.node is not None:
        query = query.where(EventRow.node == choice.node)
    if choice.only is not None:
        query = query.where(EventRow.node.in_(choice.only))
    if choice.severity is not None:
        order = (Severity.INFO, Severity.WARNING, Severity.ERROR)
        query = query.where(EventRow.severity.in_([each.value for each in order[order.index(choice.severity) :]]))
    if choice.session:
        # Ids are hexadecimal: behind all that begin so comes the same with a g.
        query = query.where(EventRow.session >= choice.session, EventRow.session < f"{choice.session}g")
    if choice.code:
        query = query.where(EventRow.code == choice.code)
    if choice.since is not None:
        query = query.where(EventRow.time >= choice.since)
    if choice.until is not None:
        query = query.where(EventRow.time < choice.until)
    if choice.acknowledged is not None:
        is_open = EventRow.acknowledged_at.is_(None)
        query = query.where(~is_open if choice.acknowledged else is_open)
    return query


def _fitting(choice: LineChoice) -> Callable[[Event], bool] | None:
    """Whether a line has the words that are asked for; None = none are."""
    if not choice.words and not choice.text and choice.told is None:
        return None
    text, words = choice.text.casefold(), [word.casefold() for word in choice.words]
    nodes = frozenset[NodeId]() if choice.told is None else choice.told.nodes
    told = None if choice.told is None else [word.casefold() for word in choice.told.words]

    def fits(event: Event) -> bool:
        line = "\n".join((event.code, event.message, *event.facts.values())).casefold()
        return (
            text in line
            and (not words or any(word in line for word in words))
            and (told is None or event.node in nodes or any(word in line for word in told))
        )

    return fits


def _line(row: EventRow, event: Event) -> Line:
    return Line(
        number=row.number,
        event=event,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        comment=row.comment,
    )
