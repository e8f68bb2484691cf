"""The document: byte for byte, conflicts, removals, plans."""

from __future__ import annotations

import msgspec

from holdfast.core.errors import StoreDenied
from holdfast.core.ids import RepositoryId
from holdfast.model.node_status import NodeStatus
from holdfast.model.repository_status import RepositoryStatus
from tests.master.machines import Machine
from tests.master.masters import ONE_TO_TWO, Running, with_master


@with_master
async def test_a_fresh_master_has_a_document(running: Running) -> None:
    first = await running.get("/environment")
    assert first["revision"] == 1
    assert "environment: office" in first["text"]


@with_master
async def test_what_is_applied_comes_back_byte_for_byte(running: Running) -> None:
    text = ONE_TO_TWO + "# the end, with ümlauts\t\n\n\n"
    applied = await running.apply(text, base_revision=1, comment="why")
    assert applied["revision"] == 2
    assert (await running.get("/environment"))["text"] == text
    assert (await running.apply(text, base_revision=2))["revision"] == 2


@with_master
async def test_a_stale_base_is_a_conflict_that_names_both(running: Running) -> None:
    await running.apply(ONE_TO_TWO, base_revision=1)
    answer = await running.apply(ONE_TO_TWO + "# mine\n", base_revision=1, status=409)
    context = answer["error"]["context"]
    assert (context["base_revision"], context["newest_revision"]) == ("1", "2")
    assert (await running.get("/environment"))["text"] == ONE_TO_TWO
    assert (await running.apply(ONE_TO_TWO + "# mine\n", base_revision=None))["revision"] == 3


@with_master
async def test_removals_need_to_be_accepted(running: Running) -> None:
    await running.apply(ONE_TO_TWO)
    less = "environment: office\nnodes: {files1: {}, vault: {}, dr: {}}\n"
    planned = await running.post("/environment/plan", {"text": less})
    assert planned["valid"]
    assert {(r["what"], r["name"]) for r in planned["removals"]} >= {("flow", "office"), ("policy", "documents")}
    refused = await running.call("PUT", "/environment", {"text": less}, status=403)
    assert "policy documents" in refused["error"]["message"]
    assert (await running.get("/environment"))["text"] == ONE_TO_TWO
    await running.call("PUT", "/environment", {"text": less, "accept_removals": True})


@with_master
async def test_an_invalid_text_changes_nothing(running: Running) -> None:
    wrong = "environment: office\npolicies:\n  documents:\n    classification: {paths: [/srv], exlude: ['*.tmp']}\n"
    planned = await running.post("/environment/plan", {"text": wrong})
    assert not planned["valid"]
    assert planned["diagnostics"][0]["where"]["line"] == 4
    answer = await running.apply(wrong, status=422)
    assert answer["error"]["code"] == "invalid-document"
    assert answer["error"]["context"]["line"] == "4"
    assert (await running.get("/environment"))["revision"] == 1


@with_master
async def test_a_plan_lists_changes(running: Running) -> None:
    await running.apply(ONE_TO_TWO)
    planned = await running.post("/environment/plan", {"text": ONE_TO_TWO.replace("every: 1h", "every: 2h")})
    assert [(c["kind"], c["what"], c["name"]) for c in planned["changes"]] == [("changed", "policy", "documents")]
    assert planned["removals"] == []
    assert planned["revision"] == 2
    assert planned["flow_errors"] == [], "a node that has not joined yet is none"
    broken = await running.post("/environment/plan", {"text": ONE_TO_TWO.replace("to: store", "to: stoer")})
    assert broken["valid"]
    told = [each["error"] for each in broken["flow_errors"]]
    assert "unknown-vertex" in {error["code"] for error in told}
    assert all(error["level"] == "error" and error["where"]["line"] for error in told)
    assert [fix["title"] for error in told for fix in error.get("fixes", ()) if error["code"] == "unknown-vertex"][:1] == ["Use `store`"]
    assert {name for each in broken["flow_errors"] for name in each["flows"]} == {"office"}
    assert broken["untried_flows"] == []


@with_master
async def test_protect_writes_and_activates(running: Running) -> None:
    await running.connect("here")
    made = await running.post("/protect", {"path": "/srv/photos", "location": "/srv/store"})
    assert made["dataset"] == f"here/{made['policy']}"
    assert made["activation"]["valid"]
    assert [n["state"] for n in made["activation"]["nodes"]] == ["confirmed"]
    rules = running.nodes["here"].taken[-1]
    assert rules.datasets[0].classification.paths == ("/srv/photos",)
    assert rules.datasets[0].operations[0].every_s == 3600
    again = await running.post("/protect", {"path": "/srv/photos", "location": "/srv/store"})
    assert (again["flow"], again["every_s"]) == (made["flow"], 3600)
    other = await running.post("/protect", {"path": "/srv/photos", "location": "/srv/store", "every": "1s"}, status=409)
    assert "does not say a point every 1s" in other["error"]["message"]
    assert len(running.nodes["here"].taken) == 1
    second = await running.post("/protect", {"path": "/srv/music", "location": "/srv/store", "every": "1d"})
    assert second["repository"] == made["repository"]
    assert {d.label for d in running.nodes["here"].taken[-1].datasets} == {made["dataset"], second["dataset"]}


@with_master
async def test_protect_says_at_once_what_hinders_the_repository(running: Running) -> None:
    """Not only when the first run has failed, which nobody looks at any more."""
    await running.connect("here")
    machine = Machine(running.nodes["here"], 1)
    lacking = StoreDenied("no keys for the object store: /keys/main.s3 is not there", hint="write them").facts()
    said = RepositoryStatus(id=RepositoryId("a" * 32), name="main", location="s3://backup/x", error=lacking)
    machine.status = NodeStatus(node="here", generation=1, repositories=(said,))
    made = await running.post("/protect", {"path": "/srv/photos", "location": "s3://backup/x"})
    assert made["activation"]["valid"]
    assert (made["problem"]["code"], made["problem"]["hint"]) == ("store-denied", "write them")
    machine.status = NodeStatus(node="here", generation=1, repositories=(msgspec.structs.replace(said, error=None),))
    running.clock.offset_s += 60
    assert (await running.post("/protect", {"path": "/srv/photos", "location": "s3://backup/x"}))["problem"] is None


@with_master
async def test_protect_says_which_machine_it_lacks(running: Running) -> None:
    await running.post("/protect", {"path": "/a", "location": "/b"}, status=400)
    await running.join("one")
    await running.join("two")
    answer = await running.post("/protect", {"path": "/a", "location": "/b"}, status=400)
    assert "one, two" in answer["error"]["hint"]
    await running.post("/protect", {"path": "relative", "location": "/b", "node": "one"}, status=400)
