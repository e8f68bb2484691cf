"""Who makes a run of which datasets: one at a time for datasets that share paths, since a path is one row of the state.

A run of the scheduler waits for its datasets, the follower takes those that are free. A claim ends with the capture where what is left is
to bring what was captured to receivers that take no part in small runs. Who waits goes before who has not asked yet, so that
small runs, which come several times a second, keep nobody waiting for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from holdfast.model.roots import normal_roots, share_paths
from holdfast.model.rules import DatasetRule

_LOOK_S = 0.5


class Claims:
    """Any thread; of what one has claimed nothing may be claimed again before it is let go."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: list[tuple[bytes, ...]] = []
        self._waiting: list[tuple[bytes, ...]] = []

    @contextmanager
    def all_of(self, rules: Iterable[DatasetRule], look: Callable[[], object] = lambda: None) -> Iterator[Callable[[], None]]:
        """Waits until all of these datasets are free. `look` is called now and then, and may raise to give it up.

        What is given lets go of them before the end: the run captures nothing more of them, and sends only to whom nobody else sends
        (docs/decisions/0059-claims.md)."""
        roots = _roots(rules)
        with self._changed:
            self._waiting.append(roots)
            try:
                while not self._is_free(roots, self._earlier(roots)):
                    self._changed.wait(_LOOK_S)
                    look()
                self._held.append(roots)
            finally:
                _remove(self._waiting, roots)
                self._changed.notify_all()
        try:
            yield lambda: self._let_go(roots)
        finally:
            self._let_go(roots)

    @contextmanager
    def free_of(self, rules: Sequence[DatasetRule]) -> Iterator[tuple[DatasetRule, ...]]:
        """Those of them that nobody has claimed or waits for; does not wait."""
        with self._changed:
            free = tuple(rule for rule in rules if self._is_free(_roots((rule,)), self._waiting))
            roots = _roots(free)
            self._held.append(roots)
        try:
            yield free
        finally:
            self._let_go(roots)

    @contextmanager
    def free_roots(self, roots: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
        """As `free_of`, of roots that perhaps no rules name any more."""
        with self._changed:
            free = tuple(root for root in roots if self._is_free((root,), self._waiting))
            self._held.append(free)
        try:
            yield free
        finally:
            self._let_go(free)

    def is_waited_for(self, rule: DatasetRule) -> bool:
        """Whether somebody waits for what shares a path with it."""
        roots = _roots((rule,))
        with self._changed:
            return any(share_paths(roots, others) for others in self._waiting)

    def _earlier(self, roots: tuple[bytes, ...]) -> Sequence[tuple[bytes, ...]]:
        number = next(number for number, each in enumerate(self._waiting) if each is roots)
        return self._waiting[:number]

    def _is_free(self, roots: tuple[bytes, ...], waiting: Sequence[tuple[bytes, ...]]) -> bool:
        return not any(share_paths(roots, others) for others in (*self._held, *waiting))

    def _let_go(self, roots: tuple[bytes, ...]) -> None:
        with self._changed:
            _remove(self._held, roots)
            self._changed.notify_all()


def groups_apart(rules: Sequence[DatasetRule]) -> tuple[tuple[DatasetRule, ...], ...]:
    """Groups of datasets of which no two share paths, each in the order given."""
    groups: list[list[DatasetRule]] = []
    for rule in rules:
        roots = _roots((rule,))
        joined = [group for group in groups if share_paths(roots, _roots(group))]
        groups = [group for group in groups if group not in joined]
        groups.append([*(each for group in joined for each in group), rule])
    places = {rule.id: number for number, rule in enumerate(rules)}
    ordered = [tuple(sorted(group, key=lambda rule: places[rule.id])) for group in groups]
    return tuple(sorted(ordered, key=lambda group: places[group[0].id]))


def _roots(rules: Iterable[DatasetRule]) -> tuple[bytes, ...]:
    return tuple(root for rule in rules for root in normal_roots(rule.classification.paths))


def _remove(claims: list[tuple[bytes, ...]], roots: tuple[bytes, ...]) -> None:
    """If it is there, by identity: others may have claimed the same."""
    claims[:] = [each for each in claims if each is not roots]
