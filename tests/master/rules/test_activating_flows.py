"""Activation over real hub sessions: confirm, roll back, offline nodes, unchanged rules, generations."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from holdfast.core.errors import ErrorFacts
from tests.master.masters import ONE_TO_TWO, Running, running_master, with_master

NODES = ("files1", "vault", "dr")


def _states(activation: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {node["node"]: node["state"] for node in activation["nodes"]}


@with_master
async def test_every_node_gets_its_own_signed_rules_and_confirms(running: Running) -> None:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO)
    activation = await running.post("/flows/office/activate")
    assert activation["valid"]
    assert not activation["rolled_back"]
    assert _states(activation) == dict.fromkeys(NODES, "confirmed")
    assert [d.label for d in running.nodes["files1"].taken[-1].datasets] == ["files1/documents"]
    assert [r.name for r in running.nodes["vault"].taken[-1].repositories] == ["main"]
    assert len(running.nodes["vault"].taken[-1].cascades) == 1
    assert "files1" in activation["summary_text"]
    views = {node["name"]: node for node in (await running.get("/nodes"))["nodes"]}
    assert all(v["generation"] == v["wanted_generation"] == 1 for v in views.values())


@with_master
async def test_unchanged_rules_are_not_pushed_again(running: Running) -> None:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    again = await running.post("/flows/office/activate")
    assert _states(again) == dict.fromkeys(NODES, "unchanged")
    assert all(len(node.taken) == 1 for node in running.nodes.values())
    await running.apply(ONE_TO_TWO.replace("location: /srv/offsite", "location: /srv/offsite2"))
    changed = await running.post("/flows/office/activate")
    assert _states(changed)["vault"] == "unchanged"
    assert _states(changed)["dr"] == "confirmed"
    assert [len(running.nodes[name].taken) for name in ("vault", "dr")] == [1, 2]


@with_master
async def test_one_refusal_takes_everything_back(running: Running) -> None:
    await running.connect(*NODES)
    running.nodes["dr"].refuses = (ErrorFacts("outside-limits", "/srv/mirror is outside", "add it to limits.toml"),)
    await running.apply(ONE_TO_TWO)
    activation = await running.post("/flows/office/activate")
    assert activation["valid"]
    assert activation["rolled_back"]
    refused = next(node for node in activation["nodes"] if node["node"] == "dr")
    assert refused["state"] == "refused"
    assert refused["problems"][0]["code"] == "outside-limits"
    (event,) = (await running.get("/logs"))["events"]
    assert (event["code"], event["node_name"]) == ("rules-refused", "dr")
    for name in ("files1", "vault"):
        taken = running.nodes[name].taken
        assert [bool(rules.datasets or rules.receives) for rules in taken] == [True, False]
        assert taken[1].generation > taken[0].generation
    flows = (await running.get("/flows"))["flows"]
    assert [(flow["name"], flow["state"]) for flow in flows] == [("office", "draft")]


@with_master
async def test_a_refused_change_leaves_the_old_flow_in_force(running: Running) -> None:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    running.nodes["dr"].refuses = (ErrorFacts("outside-limits", "no"),)
    await running.apply(ONE_TO_TWO.replace("path: /srv/mirror", "path: /elsewhere"))
    running_before = running.nodes["files1"].taken[0]
    assert (await running.post("/flows/office/activate"))["rolled_back"]
    assert running.nodes["files1"].taken[-1].datasets == running_before.datasets
    flows = (await running.get("/flows"))["flows"]
    assert flows[0]["state"] == "changed"
    assert flows[0]["active_revision"] == (await running.get("/environment"))["revision"] - 1


@with_master
async def test_an_offline_node_gets_its_rules_when_it_comes(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.nodes["dr"].disconnect()
    await _until_offline(running, "dr")
    await running.apply(ONE_TO_TWO)
    activation = await running.post("/flows/office/activate")
    assert _states(activation) == {"files1": "confirmed", "vault": "confirmed", "dr": "pending"}
    await running.nodes["dr"].connect(running.hub_address)
    await running.nodes["dr"].until(lambda: len(running.nodes["dr"].taken) == 1)
    assert running.nodes["dr"].taken[0].repositories[0].name == "offsite"


@with_master
async def test_a_node_ahead_of_the_records_gets_a_higher_generation(running: Running) -> None:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    vault = running.nodes["vault"]
    await vault.disconnect()
    vault.generation = 40
    await vault.connect(running.hub_address)
    await vault.until(lambda: vault.generation == 41)
    assert vault.taken[-1].repositories == vault.taken[0].repositories


@with_master
async def test_a_node_that_joins_later_is_drawn_in(running: Running) -> None:
    await running.connect("files1", "vault")
    await running.apply(ONE_TO_TWO)
    activation = await running.post("/flows/office/activate")
    assert "node-not-joined" in {d["code"] for d in activation["diagnostics"]}
    await running.connect("dr")
    dr = running.nodes["dr"]
    await dr.until(lambda: bool(dr.taken))
    assert dr.taken[-1].receives


@with_master
async def test_a_moved_node_is_found_by_its_peers(running: Running) -> None:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    await running.nodes["vault"].disconnect()
    running.nodes["vault"].address = "moved.test:7442"
    await running.connect("vault")
    files1 = running.nodes["files1"]
    await files1.until(lambda: any(peer.address == "moved.test:7442" for peer in files1.taken[-1].peers))


@with_master
async def test_deactivating_leaves_nodes_idle_and_repositories_readable(running: Running) -> None:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    report = await running.post("/flows/office/deactivate")
    assert _states(report) == dict.fromkeys(NODES, "confirmed")
    assert not running.nodes["files1"].taken[-1].datasets
    assert [r.name for r in running.nodes["vault"].taken[-1].repositories] == ["main"]
    await running.post("/flows/office/deactivate", status=404)


@with_master
async def test_errors_block_activation_and_say_where(running: Running) -> None:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO.replace("carries: [documents/replicate]", "carries: [documents/nothing]"))
    report = await running.post("/flows/office/activate")
    assert not report["valid"]
    assert report["nodes"] == []
    errors = [d for d in report["diagnostics"] if d["level"] == "error"]
    assert errors[0]["where"]["line"] > 0
    assert all(not node.taken for node in running.nodes.values())
    unknown = await running.post("/flows/offfice/activate")
    assert unknown["diagnostics"][0]["code"] == "unknown-flow"


@with_master
async def test_compile_changes_nothing_and_shows_the_difference(running: Running) -> None:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO)
    report = await running.post("/flows/office/compile")
    assert report["valid"]
    assert {change["node_name"] for change in report["changes"]} == set(NODES)
    assert {node["node"] for node in report["summary"]["nodes"]} == set(NODES)
    assert all(not node.taken for node in running.nodes.values())
    assert (await running.get("/flows"))["flows"][0]["state"] == "draft"


@with_master
async def test_a_node_that_leaves_instead_of_answering_is_pending(running: Running) -> None:
    await running.connect(*NODES)
    await running.apply(ONE_TO_TWO)
    running.nodes["dr"].leaves_on_push = True
    states = _states(await running.post("/flows/office/activate"))
    assert states == {"files1": "confirmed", "vault": "confirmed", "dr": "pending"}
    assert (await running.get("/flows"))["flows"][0]["state"] == "active"


def test_what_is_active_survives_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_master(tmp_path) as first:
            await first.connect(*NODES)
            await first.apply(ONE_TO_TWO)
            await first.post("/flows/office/activate")
            nodes = first.nodes
        async with running_master(tmp_path, tmp_path / "master") as second:
            second.nodes = nodes
            await second.connect(*NODES)
            assert (await second.get("/flows"))["flows"][0]["state"] == "active"
            again = await second.post("/flows/office/activate")
            assert _states(again) == dict.fromkeys(NODES, "unchanged")

    asyncio.run(main())


async def _until_offline(running: Running, name: str) -> None:
    identity = running.nodes[name].identity.node
    await running.until_offline(identity)


TWO_FLOWS = """\
environment: office
nodes: {a: {}, b: {}}
repositories:
  main: {node: b, location: /srv/main}
  other.place: {node: b, location: /srv/other}
policies:
  mail: {classification: {paths: [/srv/mail]}, operations: {backup: {every: 1h}}}
  photos: {classification: {paths: [/srv/photos]}, operations: {backup: {every: 1h}}}
flows:
  first: {vertices: {s: {node: a, policies: [mail]}, r: {repository: main}}, movers: [{from: s, to: r, carries: [mail/backup]}]}
  second: {vertices: {s: {node: a, policies: [photos]}, r: {repository: other.place}}, movers: [{from: s, to: r, carries: [photos/backup]}]}
"""


@with_master
async def test_remarks_on_other_flows_are_not_repeated(running: Running) -> None:
    """Each policy here keeps all its points for ever, which is remarked: to whoever activates it, not with every other flow."""
    await running.connect("a", "b")
    await running.apply(TWO_FLOWS)

    def policies(report: dict[str, Any]) -> set[str]:
        return {told["where"]["path"].split(".")[1] for told in report["diagnostics"] if told["where"]["path"].startswith("policies.")}

    assert policies(await running.post("/flows/first/activate")) == {"mail"}
    assert policies(await running.post("/flows/second/activate")) == {"photos"}
    assert policies(await running.post("/flows/second/activate")) == {"photos"}, "of itself it is told each time"
    assert policies(await running.post("/flows/first/compile")) == {"mail"}
    assert policies(await running.post("/flows/second/deactivate")) == set()


@with_master
async def test_what_changes_around_the_flows_in_force_is_no_remark_of_another(running: Running) -> None:
    """What they are remarked on is kept between compilations, as long as it is the same."""
    await running.connect("a", "b")
    await running.apply(TWO_FLOWS)
    await running.post("/flows/first/activate")

    async def flows() -> set[str]:
        return {told["where"]["flow"] for told in (await running.post("/flows/second/compile"))["diagnostics"]} - {""}

    assert await flows() == set()
    await running.post("/nodes/a/revoke")
    assert await flows() == {"second"}, "both have lost their source, and one is asked about"
