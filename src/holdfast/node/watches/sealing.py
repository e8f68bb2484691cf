"""Has each repository seal what it has held for long enough."""

from __future__ import annotations

from contextlib import ExitStack

from holdfast.model.jobs import Finding
from holdfast.node.owned.repositories import Repositories
from holdfast.node.workers.periodic import Periodic

LOOK_EVERY_S = 1.0


class SealingWatch(Periodic):
    """Sealing takes as long as the store does."""

    def __init__(self, repositories: Repositories, every_s: float = LOOK_EVERY_S) -> None:
        super().__init__("sealing", every_s)
        self._repositories = repositories

    def look(self) -> None:
        with ExitStack() as each:
            # Whatever becomes of one, the others have their turn.
            for repository in self._repositories.opened():
                each.callback(repository.tick)


def held_findings(repositories: Repositories) -> tuple[Finding, ...]:
    """Standing problems with what the repositories hold."""
    return tuple(finding for repository in repositories.opened() for finding in repository.held_problems)
