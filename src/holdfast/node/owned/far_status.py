"""What far places say of themselves, without letting one that is away keep the others' answer waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

from holdfast.core.clock import Clock
from holdfast.core.errors import NotReachable, facts_of
from holdfast.model.object_location import is_object_location
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.rules import RepositoryRule

PATIENCE_S = 2.0
FRESH_S = 10.0
_ASKERS = 4

Ask = Callable[[RepositoryRule], RepositoryStatus]


class FarStatus:
    """`ask` answers for one repository and may take as long as its store does; folders are asked at once, as ever. Thread-safe."""

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._guard = threading.Lock()
        self._pool = ThreadPoolExecutor(_ASKERS, thread_name_prefix="far-status")
        self._asked: dict[RepositoryRule, Future[tuple[float, RepositoryStatus]]] = {}

    def of(self, rules: tuple[RepositoryRule, ...]) -> tuple[RepositoryStatus, ...]:
        """One each, in their order. A store that takes longer counts as not reachable; what it says then is the answer next time."""
        far = {rule: self._begun(rule) for rule in rules if is_object_location(rule.location)}
        return tuple(self._waited(rule, far[rule]) if rule in far else self._ask(rule) for rule in rules)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begun(self, rule: RepositoryRule) -> Future[tuple[float, RepositoryStatus]]:
        with self._guard:
            known = self._asked.get(rule)
            if known is None or (known.done() and self._clock.monotonic_s() - known.result()[0] > FRESH_S):
                known = self._asked[rule] = self._pool.submit(self._answered, rule)
            return known

    def _answered(self, rule: RepositoryRule) -> tuple[float, RepositoryStatus]:
        try:
            status = self._ask(rule)
        except Exception as error:  # noqa: BLE001 whatever it is, it belongs into the answer
            status = RepositoryStatus(id=rule.id, name=rule.name, location=rule.location, error=facts_of(error))
        return self._clock.monotonic_s(), status

    def _waited(self, rule: RepositoryRule, asked: Future[tuple[float, RepositoryStatus]]) -> RepositoryStatus:
        try:
            status = asked.result(PATIENCE_S)[1]
        except NotYet:
            error = NotReachable(f"the store of {rule.name} has not answered yet", hint="ask again; look at the network if it lasts")
            return RepositoryStatus(id=rule.id, name=rule.name, location=rule.location, error=error.facts())
        # Told once. Only an answer that came too late to be told waits for the next question.
        with self._guard:
            if self._asked.get(rule) is asked:
                del self._asked[rule]
        return status
