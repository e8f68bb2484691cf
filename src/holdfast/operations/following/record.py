"""Up to when each dataset was seen, kept over restarts of the worker: what was not seen is a gap."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from holdfast.core.ids import DatasetId
from holdfast.core.private_files import write_private
from holdfast.model.decoding import UNREADABLE

logger = logging.getLogger(__name__)


class Record:
    """A small file beside the state. One that cannot be read counts as none: then there is a look at everything, and no gap is claimed to
    have had a beginning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._read()
        self._changed = threading.Condition()
        self._waiting: bytes | None = None
        self._is_writing = False

    def seen_until_ns(self, dataset: DatasetId) -> int | None:
        """Nanoseconds since 1970; None when it was never followed."""
        return self._seen.get(dataset)

    def knows(self, datasets: Iterable[DatasetId]) -> bool:
        """Whether it says something of exactly these."""
        return set(datasets) == set(self._seen)

    def with_earlier(self, seen: Mapping[DatasetId, int]) -> dict[DatasetId, int]:
        """With what it says of others: of one that no active flow has followed for a while that is when it was seen last, and one whose
        state was lost is not seen again before it has been scanned."""
        return self._seen | dict(seen)

    def write(self, seen: Mapping[DatasetId, int]) -> None:
        """These are followed, or were, and seen up to these moments. Waits for no disk, see `settle`: a busy one takes a second, for which
        nothing would be followed. A disk that takes nothing only makes the next gap longer.

        Does wait when there are others than before: of what no file says that it was followed, the next life would claim no gap.
        """
        are_others = not self.knows(seen)
        self._seen = dict(seen)
        with self._changed:
            self._waiting = msgspec.json.encode(self._seen)
            if not self._is_writing:
                self._is_writing = True
                threading.Thread(target=self._write_waiting, name="follow-record", daemon=True).start()
        if are_others:
            self.settle()

    def settle(self) -> None:
        """Returns when all that was given is on disk, or could not be put there."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_writing)

    def _write_waiting(self) -> None:
        while True:
            with self._changed:
                content, self._waiting = self._waiting, None
                if content is None:
                    self._is_writing = False
                    self._changed.notify_all()
                    return
            try:
                write_private(self._path, content)
            except OSError as error:
                logger.warning("what was seen cannot be written down", extra={"facts": {"path": str(self._path), "error": str(error)}})

    def _read(self) -> dict[DatasetId, int]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[DatasetId, int])
        except (OSError, *UNREADABLE):
            return {}
