"""The log of the capture state is carried over while something is followed, and never otherwise."""

from __future__ import annotations

from pathlib import Path

from holdfast.capture.rows import row_of
from holdfast.core.entropy import SystemEntropy
from holdfast.model.entry import Entry, Kind, Xattr
from holdfast.node.source.state_holder import StateHolder
from holdfast.node.source.state_log import StateLog

XATTRS = (Xattr(b"user.much", bytes(1_000)),)


def test_it_is_carried_over_while_a_run_has_the_state(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    holder = StateHolder(path, SystemEntropy())
    log = StateLog(holder, path)
    log.look()
    assert not path.exists()
    with holder.lease() as state:
        entries = [Entry(path=b"/a%d" % number, kind=Kind.FILE, mode=0o644, xattrs=XATTRS) for number in range(500)]
        state.write_rows([row_of(entry, members=1, run=1) for entry in entries])
        before_bytes = path.stat().st_size
        log.look()
        assert path.stat().st_size == before_bytes
        holder.keeps_open = True
        log.look()
        assert path.stat().st_size > 500_000
    holder.close()
