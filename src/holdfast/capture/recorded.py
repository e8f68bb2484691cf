"""What was recorded before a run, while the run writes its own."""

from __future__ import annotations

from holdfast.capture.rows import FILE_CODE, WITHDRAWN, decode_entry
from holdfast.capture.state import CaptureState
from holdfast.model.entry import walk_key


class RowsBefore:
    """The rows as they are when this is made. For one thread at a time; close it."""

    def __init__(self, state: CaptureState, base_seq: int) -> None:
        """`base_seq`: the run up to which somebody has what was captured."""
        self._base_seq = base_seq
        self._reader = state.reader()
        # From its first question on a transaction sees nothing of what others write.
        self._reader.execute("BEGIN")
        self._reader.execute("SELECT 1 FROM meta").fetchone()

    def chunks_before(self, path: bytes) -> frozenset[bytes]:
        """The chunks of the file that whoever has everything up to the base has of it."""
        query = "SELECT kind, flags, run, record FROM rows WHERE key = ?"
        found = self._reader.execute(query, (walk_key(path),)).fetchone()
        if found is None or found[0] != FILE_CODE or found[1] & WITHDRAWN or found[2] > self._base_seq:
            return frozenset()
        return frozenset(ref.id for ref in decode_entry(found[3]).chunks)

    def close(self) -> None:
        self._reader.close()
