"""The Master deleted and made anew from its own backup: nodes work on meanwhile, are taken up untouched, and send nothing again."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.client import ApiClient
from holdfast.cli.home import Session, load_session
from holdfast.cli.processes import Child, wait_until
from holdfast.core.errors import HoldfastError
from tests.e2e.followed import document, is_following
from tests.e2e.world import World, eventually, rsync_differences, world_in

pytestmark = [pytest.mark.e2e, pytest.mark.big, pytest.mark.timeout(600)]
NODES = {"files1", "vault", "beside"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[World]:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(40):
        (data / f"file {number}").write_bytes(bytes([number]) * (5_000 + number))
    with world_in(tmp_path, *sorted(NODES)) as world:
        operations = {"backup": "{every: 12h, keep: {last: 50}}", "cdp": "{within: 24h}"}
        world.apply(document(tmp_path, operations), "office")
        eventually(lambda: is_following(world), "the first scan is done and it is followed")
        yield world


def back_up(world: World) -> Path:
    """The Master's backup set up and taken, by command line; the file with the code of a kit."""
    drawn = world.json("master", "backup", "setup", "--node", "beside", "--to", "main")
    assert drawn["elsewhere"]
    code = world.folder / "code"
    code.write_text(world.json("master", "backup", "kit")["code"])
    assert world.json("master", "backup", "now")["state"] == "succeeded"
    status = world.json("master", "backup", "status")
    assert status["findings"] == []
    assert status["kept"][0]["repository_node"] == "vault"
    assert status["kept"][0]["last_at"]
    return code


def delete_master(world: World) -> None:
    world.kill("master")
    shutil.rmtree(world.home("master"))


def restore_master(world: World, code: Path) -> None:
    """As a person does who has nothing but the owner of the repository, and the paper."""
    found = world.folder / "found"
    world.run("restore", "--dataset", "beside/holdfast-master", "--to", str(found), home="vault")
    words = ("master", "restore", str(found), "--code-file", str(code), "--listen", "127.0.0.1")
    assert world.json(*words)["environment"] == "test"
    world.restart("master")
    wait_until(lambda: world.client.online_nodes() >= NODES, "the nodes are back", [world.child("master")], timeout_s=60)


def jobs(world: World) -> dict[str, dict[str, Any]]:
    return {job["id"]: job for job in world.client.get("/jobs", limit=500)["jobs"]}


def sent_bytes(job: dict[str, Any]) -> int:
    return sum(task["counters"]["sent_bytes"] for task in job["tasks"])


def codes(world: World) -> set[str]:
    return {event["code"] for event in world.client.get("/logs", limit=500)["events"]}


def test_the_master_is_deleted_and_comes_back_from_its_own_backup(office: World) -> None:
    data, mirror = office.folder / "data", office.folder / "mirror"
    office.run("trigger", "office", "--operation", "backup", "--wait")
    code = back_up(office)
    before, nodes = jobs(office), {node["id"]: node["name"] for node in office.client.get("/nodes")["nodes"]}
    session = load_session(office.home("master"))
    revision = office.client.get("/environment")["revision"]
    # What happens after the backup: a run, and a machine that joins.
    (data / "later").write_bytes(b"later" * 1_000)
    office.run("trigger", "office", "--operation", "backup", "--wait")
    lost = jobs(office).keys() - before.keys()
    assert lost
    office.machines.start_node("late")
    office.machines.wait_for_nodes(NODES | {"late"})
    shutil.copytree(office.home("master"), office.folder / "old" / "home")
    delete_master(office)

    # Nobody is there, and what changes is in the mirror and in the repository.
    (data / "without a Master").write_bytes(b"alone" * 1_000)
    eventually(lambda: rsync_differences(data, mirror) == "", "the mirror follows with no Master")
    eventually(lambda: "without a Master" in office.restic("main", "vault", "ls", "latest", "--no-lock"), "so does the repository", 90)
    points = {point["id"] for point in office.points_of("main", "vault")}

    restore_master(office, code)
    _everything_is_back(office, session, before, lost)
    assert office.client.get("/environment")["revision"] >= revision
    assert nodes.items() <= {n["id"]: n["name"] for n in office.client.get("/nodes")["nodes"]}.items()
    assert points <= {point["id"] for point in office.points("main")}
    _nothing_is_sent_again(office)
    _late_is_let_in(office)
    _the_old_one_is_not_followed(office)
    office.restic("main", "vault", "check", "--no-lock", "--read-data")


def _everything_is_back(world: World, session: Session, before: dict[str, Any], lost: set[str]) -> None:
    """History, flows, users, tokens, and the audit log; what was lost is told again by the nodes."""
    assert before.keys() <= jobs(world).keys()
    eventually(lambda: lost <= jobs(world).keys(), "jobs after the backup are told again")
    flows = {flow["name"]: flow["state"] for flow in world.client.get("/flows")["flows"]}
    assert flows == {"office": "active", "holdfast-master": "active"}
    assert ApiClient(session).get("/flows")
    assert ApiClient(session).post("/login", {"user": "admin", "password": world.machines.admin_password})["token"]
    status = world.json("master", "backup", "status", expect=None)
    assert status["restoration"]["epoch"] > 0
    records = world.json("audit", "ls", "--limit", "500")
    assert "restore_master" in {record["activity"] for record in records}
    found = world.client.get("/audit/verification")
    assert found["records"] >= len(records)
    assert {finding["code"] for finding in found["findings"]} <= {"audit-rewritten", "audit-cut-off"}
    assert found["findings"], "the nodes know of records that are lost"


def _nothing_is_sent_again(world: World) -> None:
    known = jobs(world).keys()
    world.run("trigger", "office", "--operation", "backup", "--wait")
    new = [job for job_id, job in jobs(world).items() if job_id not in known and job["rule"].startswith("files1")]
    assert new
    assert sum(map(sent_bytes, new)) == 0
    assert is_following(world)


def _late_is_let_in(world: World) -> None:
    def late() -> dict[str, Any]:
        return next((node for node in world.client.get("/nodes")["nodes"] if node["name"] == "late"), {"state": ""})

    eventually(lambda: late()["state"] == "waiting", "the machine that joined later waits")
    assert "node-found" in codes(world)
    world.run("nodes", "authorise", "late")
    eventually(lambda: late()["state"] == "online", "it is in")


def _the_old_one_is_not_followed(world: World) -> None:
    """It comes back at the same address while the younger one is away, and the nodes say no."""
    old = world.folder / "old" / "home"
    world.stop("master")
    child = Child("old master", ["master", "run", "--home", str(old)], old / "log" / "old.log")
    child.start()
    world.machines.children.append(child)
    client = ApiClient(load_session(old))
    wait_until(client.is_answered, "the old Master answers", [child])
    eventually(lambda: client.get("/master/backup")["superseded"], "the old Master knows that it is")
    assert "master-superseded" in {finding["code"] for finding in client.get("/master/backup")["findings"]}
    assert client.online_nodes() == set()
    child.stop()
    world.restart("master")
    wait_until(lambda: world.client.online_nodes() >= NODES, "the nodes are back", [world.child("master")], timeout_s=60)


def test_a_master_at_another_address_is_told_to_its_nodes(office: World) -> None:
    code = back_up(office)
    delete_master(office)
    found = office.folder / "found"
    office.run("restore", "--dataset", "beside/holdfast-master", "--to", str(found), home="vault")
    port = load_session(office.home("vault")).url.rpartition(":")[2]
    other = str(int(port) + 7)
    words = ("master", "restore", str(found), "--code-file", str(code), "--listen", "127.0.0.1", "--port", other)
    url = office.json(*words)["url"]
    assert url.endswith(f":{other}")
    office.restart("master")
    for name in sorted(NODES):
        with contextlib.suppress(HoldfastError):
            office.run("node", "moved", url, home=name)
    wait_until(lambda: office.client.online_nodes() >= NODES, "the nodes are back", [office.child("master")], timeout_s=60)
