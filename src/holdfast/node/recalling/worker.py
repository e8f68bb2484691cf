"""The recall worker: keeps the recall mount at `HOME/recall`, which stubs of archived files lead to.

A process of its own: whoever reads an archived file must not wait for a scan, and who kills it takes nothing else along. When it is
killed whoever reads gets an error at once; the next one takes the dead mount away and mounts anew.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from holdfast.core.clock import Clock
from holdfast.core.errors import ErrorFacts, HoldfastError
from holdfast.host.mountpoint import kind_at, prepare, unmount
from holdfast.model.questions import Failed
from holdfast.node.bounds.limits import load_limits
from holdfast.node.config import load_config, recall_path
from holdfast.node.recalling.archives import Archives
from holdfast.node.recalling.book import RecallBook
from holdfast.node.workers.messages import AskWorker, Configure, EventNews, FromWorker, Ready, StopWorker, ToWorker, WorkerAnswer
from holdfast.operations.mount.edge import KIND, Manner, serve
from holdfast.operations.mount.recall import FRESH_S, RecallView

logger = logging.getLogger(__name__)

_AGAIN_S = 15.0
_NOT_WRITABLE = 0o555
_NO_ANSWER = ErrorFacts("usage", "a recall worker answers no questions", "ask the node's agent")


class RecallWorker:
    """`send` tells the agent; any thread of this worker calls it. The file system is served by the thread that calls `serve`."""

    def __init__(self, home: Path, send: Callable[[FromWorker], None], *, clock: Clock) -> None:
        self._home = home
        self._send = send
        self._clock = clock
        self._archives = Archives(home)
        self._node = load_config(home).node
        self._wanted = threading.Event()
        self._stopping = threading.Event()

    def serve(self, receive: Callable[[], ToWorker | None]) -> None:
        """Until the agent says stop or is gone."""
        self._send(Ready())
        threading.Thread(target=self._listen, args=(receive,), name="recall-link", daemon=True).start()
        self._wanted.wait()
        while not self._stopping.is_set():
            problems = self._mount_once()
            if not self._stopping.is_set():
                self._send(Ready(problems=problems, asked=False))
                self._stopping.wait(_AGAIN_S)

    def handle(self, message: ToWorker) -> None:
        match message:
            case Configure():
                self._archives.configure(message.rules)
                self._wanted.set()
                self._send(Ready())
            case AskWorker():
                self._send(WorkerAnswer(number=message.number, answer=Failed(error=_NO_ANSWER)))
            case _:
                pass

    def _listen(self, receive: Callable[[], ToWorker | None]) -> None:
        try:
            while (message := receive()) is not None and not isinstance(message, StopWorker):
                self.handle(message)
        finally:
            self._stopping.set()
            self._wanted.set()
            self._unmount()

    def _mount_once(self) -> tuple[ErrorFacts, ...]:
        """Until it is unmounted. Why it is not mounted any more."""
        folder = os.fsencode(recall_path(self._home))
        try:
            prepare(folder, KIND)
            # What is not mounted is an empty folder into which nobody writes: a stub then leads nowhere, and says so.
            os.chmod(folder, _NOT_WRITABLE)
            book = self._book()
            view = RecallView(self._archives, self._clock, book.report)
            manner = Manner(allow_other=os.geteuid() == 0, kept_s=int(FRESH_S), on_open=book.opened, on_ready=self._mounted)
            serve(view, folder, manner)
        except HoldfastError as error:
            logger.exception("the recall mount failed")
            return (error.facts(),)
        except OSError as error:
            logger.exception("the recall mount failed")
            return (ErrorFacts("recall-mount", f"the recall mount cannot be made: {error}", "it is tried again by itself"),)
        return (ErrorFacts("recall-mount", "the recall mount was taken away", "it is mounted again by itself"),)

    def _book(self) -> RecallBook:
        most = load_limits(self._home).recall_files
        return RecallBook(self._node, lambda event: self._send(EventNews(event=event)), self._send, clock=self._clock, most=most)

    def _mounted(self) -> None:
        self._send(Ready(asked=False))
        if self._stopping.is_set():
            # It was told to stop just before; this is called by the file system itself, which must go on meanwhile.
            threading.Thread(target=self._unmount, name="recall-unmount").start()

    def _unmount(self) -> None:
        folder = os.fsencode(recall_path(self._home))
        with suppress(HoldfastError):
            if kind_at(folder) == KIND:
                unmount(folder, KIND)
