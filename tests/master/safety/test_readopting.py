"""What a restored Master makes of nodes that know more than it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from holdfast.core.errors import NotReachable, Refused
from holdfast.master.config import load_config
from holdfast.master.records import inventory, lines, restorations
from holdfast.master.records.lines import LineChoice
from holdfast.master.safety.exporting import write_export
from holdfast.master.safety.restoring import RestoreWish, restore_master
from holdfast.master.safety.sealing import load_export_key, save_export_key, with_new_kit
from holdfast.testing.simulated_node import SimulatedNode
from tests.master.masters import ONE_TO_TWO, Running, running_master

NODES = ("files1", "vault", "dr")


def export_of(running: Running) -> str:
    """Written; the code that opens it."""
    base = running.master.base
    key, code = with_new_kit(load_export_key(running.home, base.entropy), "2026-01-01T00:00:00Z", base.entropy)
    save_export_key(running.home, key)
    write_export(load_config(running.home), clock=base.clock, entropy=base.entropy)
    return code


@asynccontextmanager
async def restored(tmp_path: Path, before: Running, code: str, nodes: dict[str, SimulatedNode]) -> AsyncIterator[Running]:
    home = tmp_path / "restored"
    base = before.master.base
    wish = RestoreWish(source=before.home / "export", code=code, home=home)
    restore_master(wish, clock=base.clock, entropy=base.entropy)
    async with running_master(tmp_path, home) as running:
        running.nodes.update(nodes)
        yield running


def codes(running: Running) -> list[str]:
    found, _ = running.master.base.database.run_now(lambda s: lines.lines(s, LineChoice(), 100))
    return [line.event.code for line in found]


async def _activated(running: Running) -> str:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    return export_of(running)


def test_a_node_ahead_keeps_its_rules_until_a_flow_is_activated(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_master(tmp_path) as old:
            code = await _activated(old)
            await old.apply(ONE_TO_TWO.replace("every: 1h", "every: 30m"))
            await old.post("/flows/office/activate")
            nodes = dict(old.nodes)
            newer = nodes["files1"].generation
            for node in nodes.values():
                await node.disconnect()
            old.nodes.clear()
            async with restored(tmp_path, old, code, nodes) as new:
                files1 = nodes["files1"]
                await files1.connect(new.hub_address)
                database = new.master.base.database
                while not await database.run(restorations.ahead):
                    await new.master.base.news.wait(new.master.base.news.count, 1)
                assert "rules-ahead" in codes(new)
                known = await database.run(lambda s: inventory.newest_rules(s, files1.identity.node))
                assert known is not None
                assert (known.generation, known.state) == (newer, inventory.CONFIRMED)
                await new.settle()
                assert files1.generation == newer, "a refresh takes nothing back"
                await new.post("/flows/office/activate")
                assert files1.generation > newer
                assert not await database.run(restorations.ahead)

    asyncio.run(scenario())


def test_a_machine_that_took_a_place_later_waits_and_a_revoked_one_stays_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_master(tmp_path) as old:
            await old.connect("files1", "vault")
            await old.post("/nodes/vault/revoke")
            code = export_of(old)
            revoked = old.nodes["vault"]
            replacing = await old.join("files1", replace=True)
            async with restored(tmp_path, old, code, {}) as new:
                with pytest.raises(Refused, match="revoked"):
                    await revoked.connect(new.hub_address)
                new.master.hub.hold_s = 0.05
                with pytest.raises(NotReachable, match="waits to be authorised"):
                    await replacing.connect(new.hub_address)
                assert "node-found" in codes(new)
                await new.post("/nodes/files1/authorise")
                await replacing.connect(new.hub_address)
                new.nodes["files1"] = replacing

    asyncio.run(scenario())


def test_what_somebody_else_signed_is_not_believed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_master(tmp_path) as old:
            code = await _activated(old)
            nodes = dict(old.nodes)
            for node in nodes.values():
                await node.disconnect()
            old.nodes.clear()
            async with restored(tmp_path, old, code, nodes) as new:
                files1 = nodes["files1"]
                files1.generation += 1
                assert files1.in_force is not None
                files1.in_force = msgspec.structs.replace(files1.in_force, body=files1.in_force.body + b" ")
                await files1.connect(new.hub_address)
                await files1.ended()
                assert files1.farewell is not None
                assert "not signed" in files1.farewell.message

    asyncio.run(scenario())


def test_the_older_of_two_is_told_that_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_master(tmp_path) as old:
            await old.connect("files1")
            node = old.nodes["files1"]
            await node.disconnect()
            node.epoch = int((old.master.base.now() + timedelta(days=1)).timestamp() * 1_000)
            with pytest.raises(NotReachable, match="another Master"):
                await node.connect(old.hub_address)
            assert "master-superseded" in codes(old)
            assert (await old.get("/master/backup"))["superseded"]

    asyncio.run(scenario())
