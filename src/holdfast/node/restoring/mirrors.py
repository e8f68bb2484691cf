"""A restore that has a mirror near: a repository says what the point is, and the mirror's files hold the content.

So nothing is believed of a mirror but bytes that have the SHA-256 which the repository records. What of the point does not stand in the
mirror comes from the repository, where that may give content.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from holdfast.core.errors import HoldfastError
from holdfast.delivery.reading import NamedIds
from holdfast.model.change import Payload
from holdfast.model.entry import Entry
from holdfast.model.jobs import Finding, Severity
from holdfast.model.orders import RestoreOrder
from holdfast.model.reading import Answer, Listed, Lost, PointReader
from holdfast.node.restoring.copies import GONE, CopiesReader, Copy, by_own_records


class MirrorFirst(PointReader):
    """Listings out of `records`, content out of the mirror. `content_elsewhere`: what the mirror lacks may come out of `records`.

    `check` raises `Cancelled`; `tell` gets what people should know.
    """

    def __init__(
        self,
        mirror: Copy,
        records: CopiesReader,
        *,
        content_elsewhere: bool,
        check: Callable[[], None],
        tell: Callable[[Finding], None],
    ) -> None:
        self._copy = mirror
        self._records = records
        self._content_elsewhere = content_elsewhere
        self._check = check
        self._tell = tell
        self._mirror: PointReader | None = None
        self._named = NamedIds()
        self._has_told = False

    @property
    def label(self) -> str:
        return self._copy.label if self._mirror is not None else self._records.label

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        for listed in self.listing(paths):
            yield from listed.entries

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        for listed in self._records.listing(paths):
            # Where the chunks lie in the repository is no order to read a mirror in.
            yield Listed(listed.entries, (), listed.lost)
        self._begin(paths)

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        return self._records.payloads(ids)

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        source = iter(questions)
        if self._mirror is None:
            yield from self._records.answers(source)
            return
        waiting: deque[dict[bytes, None]] = deque()
        try:
            for answer in self._mirror.answers(self._of_the_mirror(source, waiting)):
                for payload in answer.payloads:
                    waiting[0].pop(payload.id, None)
                if not answer.last:
                    yield Answer(answer.payloads, ())
                    continue
                yield self._filled_up(answer, list(waiting.popleft()))
        except GONE as error:
            self._give_up(error)
            if not self._content_elsewhere:
                raise
            yield from self._records.answers(itertools.chain([list(ids) for ids in waiting], source))

    def close(self) -> None:
        if self._mirror is not None:
            self._mirror.close()
        self._records.close()

    def _begin(self, paths: Sequence[bytes]) -> None:
        """Open the mirror, and have it list what it has: it gives no other chunks."""
        try:
            self._mirror = self._copy.open()
            for listed in self._mirror.listing(paths):
                self._check()
                self._named.add_all(listed.entries)
        except HoldfastError as error:
            self._give_up(error)
            if not self._content_elsewhere:
                raise

    def _give_up(self, error: HoldfastError) -> None:
        self._check()
        if self._mirror is not None:
            self._mirror.close()
            self._mirror = None
        if self._content_elsewhere:
            text = f"{self._copy.label} could not be read: {error.message}; it goes on from {self._records.label}"
            # A mirror that stands at another state need not have what was asked for.
            severity = Severity.WARNING if isinstance(error, GONE) else Severity.INFO
            self._tell(Finding(code="copy-changed", severity=severity, message=text, hint="see that machine and its mirror"))

    def _of_the_mirror(self, source: Iterator[Sequence[bytes]], waiting: deque[dict[bytes, None]]) -> Iterator[list[bytes]]:
        """Of each question what the mirror named; all of it is waited for."""
        for ids in source:
            waiting.append(dict.fromkeys(ids))
            yield [chunk for chunk in ids if chunk in self._named]

    def _filled_up(self, answer: Answer, left: Sequence[bytes]) -> Answer:
        """The last answer to a question, with what the mirror did not give of it."""
        if not left:
            return answer
        if not self._content_elsewhere:
            reasons = {lost.id: lost.reason for lost in answer.lost}
            return Answer(answer.payloads, [Lost(chunk, reasons.get(chunk, "the mirror does not have it")) for chunk in left], last=True)
        if not self._has_told:
            self._has_told = True
            text = f"some of it does not stand in {self._copy.label} as it was, and comes from {self._records.label}"
            self._tell(Finding(code="copy-filled-up", severity=Severity.INFO, message=text))
        given, lost = list(answer.payloads), list[Lost]()
        for each in self._records.answers([left]):
            given += each.payloads
            lost += each.lost
        return Answer(given, lost, last=True)


def open_nearest(
    orders: Sequence[RestoreOrder], copy_of: Callable[[RestoreOrder], Copy], *, check: Callable[[], None], tell: Callable[[Finding], None]
) -> CopiesReader | MirrorFirst:
    """Begin to read by these orders, the nearest first. Raises, as the first copy would, when none can be opened."""
    stores = [copy_of(order) for order in orders if not order.mirror]
    mirrors = [order for order in orders if order.mirror]
    alone = [_alone(copy_of(order)) for order in mirrors if order.stands_at is not None]
    content_elsewhere = any(not order.mirror and not order.names_only for order in orders)
    if not stores or not mirrors or (not orders[0].mirror and content_elsewhere):
        return CopiesReader([*stores, *alone], check=check, tell=tell)
    try:
        records = CopiesReader(stores, check=check, tell=tell)
    except HoldfastError:
        check()
        if not alone:
            raise
        return CopiesReader(alone, check=check, tell=tell)
    return MirrorFirst(copy_of(mirrors[0]), records, content_elsewhere=content_elsewhere, check=check, tell=tell)


def _alone(copy: Copy) -> Copy:
    return Copy(copy.label, copy.open, by_own_records(copy.label))
