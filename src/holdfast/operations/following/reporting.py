"""Telling how datasets are followed, once a second, also while a small run takes its time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from holdfast.model.following import Following
from holdfast.operations.following.follow_tools import FollowTools

logger = logging.getLogger(__name__)

REPORT_S = 1.0


class Reporting:
    """A thread of its own, to be closed. `look` says how it is now."""

    def __init__(self, tools: FollowTools, look: Callable[[], Sequence[Following]]) -> None:
        self._tools, self._look = tools, look
        self._told: tuple[Following, ...] = ()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower-report", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(REPORT_S):
            try:
                self._tools.source.idle()
                self._report()
            except Exception:
                logger.exception("how datasets are followed was not told for a moment")

    def _report(self) -> None:
        found = tuple(map(self._tools.spooled, self._look()))
        if found != self._told:
            self._told = found
            self._tools.tell(found)
