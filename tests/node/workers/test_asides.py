"""What runs that go on at once put aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import Cancelled
from holdfast.node.source.worker import SourceWorker
from holdfast.node.workers.asides import ASIDES, Asides
from holdfast.testing.virtual_clock import SeededEntropy


def test_what_a_killed_worker_left_goes_with_the_next_however_many_runs_there_were_at_once(tmp_path: Path) -> None:
    for aside in ASIDES:
        for name in ("verdicts", "verdicts-late"):
            (tmp_path / f"state.db{aside.scratch}-{name}").write_bytes(b"left")
        (tmp_path / f"state.db{aside.scratch}-databases").mkdir()
        (tmp_path / f"state.db{aside.scratch}-databases" / "1").write_bytes(b"left")
    SourceWorker(tmp_path, lambda _: None, clock=SystemClock(), entropy=SeededEntropy(1)).serve(lambda: None)
    assert not [path for path in tmp_path.iterdir() if "verdicts" in path.name or "databases" in path.name]


def test_who_finds_none_free_waits_until_one_is_or_nobody_wants_to_go_on() -> None:
    asides = Asides()
    taken = [asides.taken(lambda: None) for _ in ASIDES]
    names = {each.__enter__().scratch for each in taken}
    assert len(names) == len(ASIDES)

    def give_up() -> None:
        raise Cancelled("the job was cancelled")

    with pytest.raises(Cancelled), asides.taken(give_up):
        pass
    taken[2].__exit__(None, None, None)
    with asides.taken(give_up) as mine:
        assert mine.scratch in names
