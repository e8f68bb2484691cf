"""The node's end of its session with a real Master, where something of the node breaks."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from holdfast.core.entropy import SystemEntropy
from holdfast.testing.fleet import FleetNode, MemoryOutbox, enrol
from holdfast.wire.hub_messages import Report
from tests.master.masters import running_master


class _BrokenOutbox(MemoryOutbox):
    def next_report(self) -> Report | None:
        raise sqlite3.OperationalError("disk I/O error")


def test_a_journal_that_cannot_be_read_ends_the_node_and_not_its_reports_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_master(tmp_path) as running, asyncio.timeout(60):
            muster = enrol(running.master.base, ["files1"])
            node = FleetNode(muster.machines[0], muster, running.hub_address, clock=running.clock, entropy=SystemEntropy())
            node.client._journal = _BrokenOutbox(1)
            with pytest.raises(sqlite3.OperationalError, match="I/O"):
                await node.client.run()

    asyncio.run(main())
