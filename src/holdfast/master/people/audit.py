"""The Master's audit log: everything that is asked of its API is written down before it is done.

What cannot be written down is not done: `asked` raises, and the call fails. The nodes keep the digest of the newest record (docs/audit.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from holdfast.core.ids import NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.records import audit, happenings
from holdfast.master.records.audit import AuditChoice
from holdfast.model.audit import Anchor, AuditRecord, ChainCheck, ChainFinding, Phase, StoredRecord
from holdfast.model.jobs import Event, Severity

_PAGE = 1_000
_MOST_SAID = 20


@dataclass(frozen=True, kw_only=True)
class Act:
    """What somebody asks; the fields are those of `AuditRecord`."""

    user: str = ""
    credential: str = ""
    peer: str = ""
    activity: str
    target: str
    arguments: str = ""


@dataclass(frozen=True)
class Verification:
    """`witnesses`: how many anchors each keeps."""

    records: int
    findings: tuple[ChainFinding, ...]
    witnesses: dict[str, int]


class AuditLog:
    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._head: Anchor | None = None
        self._said: dict[NodeId, dict[int, Event]] = {}

    @property
    def head(self) -> Anchor | None:
        """The newest record, since `load`."""
        return self._head

    async def load(self) -> None:
        """To be called before the first record and the first session."""
        self._head = await self._base.database.run(audit.head)

    async def asked(self, act: Act) -> int:
        """Write down that it is asked, before it is done; gives the record's number. Raises `NotReachable`, `NoSpace`."""
        return await self._append(self._record(act, Phase.ASKED))

    async def looked(self, act: Act) -> None:
        """Write down a search. Raises as `asked`."""
        await self._append(self._record(act, Phase.LOOKED))

    async def ended(self, act: Act, *, of: int, error: str = "") -> None:
        """Write down how it ended. `of` 0: nothing was written when it was asked, as of who was not known yet. Raises as `asked`."""
        await self._append(self._record(act, Phase.ENDED, of=of, error=error))

    async def page(self, choice: AuditChoice, limit: int) -> tuple[tuple[AuditRecord, ...], bool]:
        """Newest first, and whether there are more."""
        found = await self._base.database.run(lambda session: audit.newest(session, choice, limit + 1))
        return found[:limit], len(found) > limit

    async def lines(self, after: int, limit: int) -> tuple[tuple[StoredRecord, ...], int | None]:
        """Records behind number `after` as they are written, oldest first, and where to go on (None = there is no more)."""
        found = await self._base.database.run(lambda session: audit.stored(session, after, limit + 1))
        page = found[:limit]
        return tuple(record for _, record in page), page[-1][0] if len(found) > limit else None

    async def verify(self, kept: dict[str, tuple[Anchor, ...]]) -> Verification:
        """Hold the records against themselves and against what each witness keeps, by its name."""
        check, findings, records = ChainCheck(kept), list[ChainFinding](), 0
        after: int | None = 0
        while after is not None:
            page, after = await self.lines(after, _PAGE)
            findings += await asyncio.to_thread(list, check.take(page))
            records += len(page)
        findings += check.end()
        return Verification(records=records, findings=tuple(findings), witnesses={name: len(anchors) for name, anchors in kept.items()})

    def contradicted(self, session: Session, node: NodeId, anchors: Iterable[Anchor]) -> None:
        """Hold what a node keeps against the records, at its hello. A contradiction is an event, said once."""
        kept = {anchor.number: anchor for anchor in anchors}
        known = audit.digests(session, kept)
        wrong = sorted(number for number, anchor in kept.items() if known.get(number) != anchor.digest)
        if wrong:
            number = wrong[0]
            what = "is another one than the node was told of" if number in known else "is not there any more"
            message = f"record {number} of the audit log {what}: the records were changed, or an old copy brought back"
            facts = {"record": str(number), "hint": "`holdfast audit verify` says where it differs"}
            event = Event(
                code="audit-contradicted", severity=Severity.ERROR, message=message, node=node, time=self._base.now(), facts=facts
            )
            # The very same each time, so that it is one line of the log, also when the transaction of the first was taken back.
            said = self._said.setdefault(node, {})
            if len(said) >= _MOST_SAID and number not in said:
                # It is known by now that its records and ours differ, and a node that makes numbers up would fill memory and log.
                number = next(reversed(said))
            event = said.setdefault(number, event)
            happenings.record_own_events(session, node, (event,))

    async def _append(self, record: AuditRecord) -> int:
        self._head = await self._base.database.run(lambda session: audit.append(session, record))
        return self._head.number

    def _record(self, act: Act, phase: Phase, *, of: int = 0, error: str = "") -> AuditRecord:
        """Number and `previous` are given when it is appended."""
        return AuditRecord(
            number=1,
            at=self._base.now(),
            phase=phase,
            user=act.user,
            credential=act.credential,
            peer=act.peer,
            activity=act.activity,
            target=act.target,
            arguments=act.arguments if not of else "",
            of=of,
            error=error,
        )
