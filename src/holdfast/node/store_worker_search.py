"""What a store worker answers to a search: each of its repositories by itself, so that one that fails holds no other up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from holdfast.core.errors import HoldfastError, UnknownName, UsageError, facts_of
from holdfast.model.questions import Answer, Failed
from holdfast.model.search import check_search
from holdfast.model.searching import MOST_ROWS, AskSearch, FoundHere, FoundIn
from holdfast.node.store_worker_repositories import Repositories

_LONGEST_S = 60.0


def search_here(ask: AskSearch, repositories: Repositories, passed_s: Callable[[], float]) -> Answer:
    """`passed_s`: since the question came. Never raises a `HoldfastError`; a failure is an answer too."""
    try:
        check_search(ask.search)
        if not 1 <= ask.limit <= MOST_ROWS:
            raise UsageError(f"a page has 1 to {MOST_ROWS} rows, not {ask.limit}", hint="ask for the next page", place="limit")
        return FoundHere(parts=_parts(ask, repositories, passed_s))
    except HoldfastError as error:
        return Failed(error=error.facts())


def _is_past(passed_s: Callable[[], float], until_s: float) -> bool:
    return passed_s() > until_s


def _parts(ask: AskSearch, repositories: Repositories, passed_s: Callable[[], float]) -> tuple[FoundIn, ...]:
    rules = [rule for rule in repositories.rules() if not ask.repository or ask.repository in (rule.id, rule.name)]
    if ask.repository and not rules:
        raise UnknownName(f"no repository {ask.repository!r} on this machine", hint="`holdfast status` lists repositories and their nodes")
    limit_s = min(ask.within_s, _LONGEST_S)
    found: list[FoundIn] = []
    for number, rule in enumerate(rules, 1):
        if rule.id in ask.places and ask.places[rule.id] is None:
            continue
        # Each has its share of the time, and what those before left of theirs.
        until_s = limit_s * number / len(rules)
        try:
            page = repositories.get(rule.id).search(ask, ask.places.get(rule.id), partial(_is_past, passed_s, until_s))
            found.append(FoundIn(id=rule.id, repository=rule.name, hits=page.hits, seen=page.seen))
        except UsageError:
            raise
        except (HoldfastError, OSError) as error:
            found.append(FoundIn(id=rule.id, repository=rule.name, error=facts_of(error)))
    return tuple(found)
