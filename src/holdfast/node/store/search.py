"""What a store worker answers to a search: each of its repositories by itself, so that one that fails holds no other up.

All searches share one thread and take turns there. Several threads would be slower, not faster: of one process only one runs Python at a
time, and handing that on between the many small steps of SQLite costs more than the steps. Taking turns keeps a search that has to go
through very many names from holding up one that is done in a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from holdfast.core.errors import HoldfastError, UnknownName, UsageError, facts_of
from holdfast.core.ids import RepositoryId
from holdfast.model.questions import Answer, Failed
from holdfast.model.rules import RepositoryRule
from holdfast.model.search import check_search
from holdfast.model.searching import MOST_ROWS, AskSearch, FoundHere, FoundIn, Place, Placed
from holdfast.repository.repository import Repository

_LONGEST_S = 60.0
_TURN_S = 0.1


class Searched(Protocol):
    """The repositories of this machine. `get` raises why one cannot be used."""

    def rules(self) -> tuple[RepositoryRule, ...]: ...

    def get(self, repository: RepositoryId) -> Repository: ...


class SearchHere:
    """One question, answered turn by turn. `passed_s`: since it came."""

    def __init__(self, ask: AskSearch, repositories: Searched, passed_s: Callable[[], float]) -> None:
        self._ask = ask
        self._repositories = repositories
        self._passed_s = passed_s
        self._left: list[RepositoryRule] | None = None
        self._count = 0
        self._hits: list[Placed] = []
        self._after: Place | None = None
        self._parts: list[FoundIn] = []

    def turn(self) -> Answer | None:
        """None = it takes another turn. Never raises a `HoldfastError`; a failure is an answer too."""
        try:
            if self._left is None:
                self._left = self._chosen()
                self._count = len(self._left)
                self._begin()
            until_s = self._passed_s() + _TURN_S
            while self._left:
                if not self._look(self._left[0], until_s):
                    return None
                self._left.pop(0)
                self._begin()
            return FoundHere(parts=tuple(self._parts))
        except HoldfastError as error:
            return Failed(error=error.facts())

    def _chosen(self) -> list[RepositoryRule]:
        ask = self._ask
        check_search(ask.search)
        if not 1 <= ask.limit <= MOST_ROWS:
            raise UsageError(f"a page has 1 to {MOST_ROWS} rows, not {ask.limit}", hint="ask for the next page", place="limit")
        rules = [rule for rule in self._repositories.rules() if not ask.repository or ask.repository in (rule.id, rule.name)]
        if ask.repository and not rules:
            raise UnknownName(
                f"no repository {ask.repository!r} on this machine", hint="`holdfast status` lists repositories and their nodes"
            )
        return [rule for rule in rules if rule.id not in ask.places or ask.places[rule.id] is not None]

    def _begin(self) -> None:
        self._hits, self._after = [], self._ask.places.get(self._left[0].id) if self._left else None

    def _look(self, rule: RepositoryRule, turn_until_s: float) -> bool:
        """Whether this repository has said what it has, or has had its share of the time and what those before left of theirs."""
        limit_s = min(self._ask.within_s, _LONGEST_S)
        share_s = limit_s * (len(self._parts) + 1) / self._count
        ask = replace(self._ask, limit=self._ask.limit - len(self._hits))
        try:
            found = self._repositories.get(rule.id).search(ask, self._after, lambda: self._passed_s() > min(turn_until_s, share_s))
        except UsageError:
            raise
        except (HoldfastError, OSError) as error:
            self._parts.append(FoundIn(id=rule.id, repository=rule.name, error=facts_of(error)))
            return True
        self._hits += found.hits
        self._after = found.seen
        if found.seen is None or len(self._hits) == self._ask.limit or self._passed_s() > share_s:
            self._parts.append(FoundIn(id=rule.id, repository=rule.name, hits=tuple(self._hits), seen=found.seen))
            return True
        return False
