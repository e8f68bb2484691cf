"""The mirror keeps the contract of an action: the shared suite."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.core.clock import SystemClock
from holdfast.core.ids import ActionId, NodeId
from holdfast.delivery.ports import Action
from holdfast.mirror.mirror import MirrorStore
from holdfast.model.rules import MirrorAction, Receive
from holdfast.testing.action_suite import DATASET, ROOT, ActionSuite, Held


class MirrorBench:
    def __init__(self, place: Path) -> None:
        self._place = place
        self._target = place / "copies" / "data"

    def open(self) -> Action:
        rule = MirrorAction(id=ActionId("a" * 32), targets=((os.fsdecode(ROOT), str(self._target)),))
        receive = Receive(dataset=DATASET, label="files1/data", sender=NodeId("1" * 32), actions=(rule,))
        return MirrorStore(self._place / "home").open_mirror(rule, receive, clock=SystemClock())

    def held(self) -> Held | None:
        if not self._target.exists():
            return None
        paths = [self._target, *self._target.rglob("*")]
        found = {ROOT + os.fsencode(path)[len(os.fsencode(self._target)) :]: path for path in paths}
        return {name: path.read_bytes() if path.is_file() else None for name, path in found.items()}


class TestMirror(ActionSuite):
    def make_bench(self, place: Path) -> MirrorBench:
        return MirrorBench(place)
