"""One point, kept open. What reads may come from any thread, at any time, for days: a connection that breaks is opened anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from holdfast.core.clock import Clock
from holdfast.core.errors import HoldfastError, NotReachable
from holdfast.model.change import Payload
from holdfast.model.entry import Entry
from holdfast.model.reading import Lost, PointReader

T = TypeVar("T")

OpenReader = Callable[[], PointReader]
"""Opens the point; raises a `HoldfastError` in time, and so does everything its reader does."""

# Nobody waits longer for his turn, whatever those before him wait for.
TURN_S = 60.0
# So long after an opening that failed nobody tries again: a thousand files that cannot be read are told so at once.
_REST_S = 1.0
_MOST_NAMED = 10_000


class PointSession:
    """Thread-safe; one asks at a time. Raises what the owner says: `UnknownName`, `RepositoryDamaged`, ... and `NotReachable` when it
    does not answer."""

    def __init__(self, open_reader: OpenReader, clock: Clock, turn_s: float = TURN_S) -> None:
        self._open_reader = open_reader
        self._clock = clock
        self._turn_s = turn_s
        self._turn = threading.Lock()
        self._reader: PointReader | None = None
        self._named: dict[bytes, None] = {}
        self._refusal: HoldfastError | None = None
        self._refused_at_s = 0.0
        self.used_at_s = clock.monotonic_s()

    def children(self, folders: Sequence[bytes]) -> list[Entry]:
        """What is directly in each of these folders, in order."""

        def listed(reader: PointReader) -> list[Entry]:
            return self._listed(reader, folders)

        return self._with(listed)

    def chunks(self, folder: bytes, ids: Sequence[bytes]) -> tuple[list[Payload], list[Lost]]:
        """Chunks of files in this folder, and which of them cannot be had. The owner gives only what it has named in the session, so a
        folder is listed once more where the session is a new one."""

        def fetched(reader: PointReader) -> tuple[list[Payload], list[Lost]]:
            if folder not in self._named:
                self._listed(reader, (folder,))
            payloads: list[Payload] = []
            lost: list[Lost] = []
            for answer in reader.answers((ids,)):
                payloads += answer.payloads
                lost += answer.lost
            return payloads, lost

        return self._with(fetched)

    @property
    def is_open(self) -> bool:
        return self._reader is not None

    def keep(self, *, reopen: bool) -> None:
        """Ask for something small, so that the owner holds the point and tells what damage was met. Counts as no use. `reopen`: also where
        it is not open, or not any more."""
        if not self.is_open and not reopen:
            return
        used_at_s = self.used_at_s
        self.children((b"/",))
        self.used_at_s = used_at_s

    def close(self) -> None:
        """The owner lets the point go. Whoever reads from it afterwards opens it anew."""
        with self._turn:
            self._drop()

    def _listed(self, reader: PointReader, folders: Sequence[bytes]) -> list[Entry]:
        entries = list(reader.children(folders))
        if len(self._named) >= _MOST_NAMED:
            self._named.clear()
        self._named.update(dict.fromkeys(folders))
        return entries

    def _with(self, work: Callable[[PointReader], T]) -> T:
        if not self._turn.acquire(timeout=self._turn_s):
            raise NotReachable("the repository's owner takes too long to answer", hint="see its log, and how busy it is")
        try:
            self.used_at_s = self._clock.monotonic_s()
            reader = self._reader
            if reader is not None:
                try:
                    return work(reader)
                except NotReachable:
                    # Its owner was started anew, perhaps long ago.
                    self._drop()
                except HoldfastError:
                    self._drop()
                    raise
            try:
                return work(self._opened())
            except HoldfastError:
                self._drop()
                raise
        finally:
            self._turn.release()

    def _opened(self) -> PointReader:
        if self._refusal is not None and self._clock.monotonic_s() - self._refused_at_s < _REST_S:
            raise self._refusal
        try:
            self._reader = self._open_reader()
        except HoldfastError as error:
            self._refusal, self._refused_at_s = error, self._clock.monotonic_s()
            raise
        self._refusal = None
        return self._reader

    def _drop(self) -> None:
        """An owner closes a session with the first error in it."""
        reader, self._reader = self._reader, None
        self._named.clear()
        if reader is not None:
            reader.close()
