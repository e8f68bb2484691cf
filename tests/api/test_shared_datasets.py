"""A single dataset is shared, with whoever else has what on its machine, in its flow and in its repository."""

from __future__ import annotations

import pytest

from holdfast.model.access import Resource, ResourceGroup, covers
from tests.api.test_narrowed import the_office
from tests.api.test_users_and_grants import as_user
from tests.master.masters import Running, with_master


@with_master
async def test_who_has_one_dataset_sees_that_and_nothing_of_its_machine(running: Running) -> None:
    await the_office(running)
    view = await running.call("PUT", "/resource-groups/payroll", {"datasets": ["files1/documents"]})
    assert view["datasets"] == ["files1/documents"]
    eva = await as_user(running, "eva", "restorer", "payroll")
    assert [point["dataset"] for point in (await eva.get("/points"))["points"]] == ["files1/documents"]
    assert [job["id"][0] for job in (await eva.get("/jobs"))["jobs"]] == ["1"]
    assert (await eva.get("/nodes"))["nodes"] == []
    assert (await eva.get("/flows"))["flows"] == []
    assert (await eva.get("/repositories"))["repositories"] == []
    await eva.get("/ls", point="a" * 32)
    await eva.get("/ls", status=404, point="b" * 32)
    # A restore writes on a machine, which is another thing to be shared.
    await eva.call("POST", "/restores", {"point": "a" * 32, "to": "/"}, status=404)
    rows = (await eva.get("/session/access"))["rows"]
    assert {"data.restore", "data.read"} <= {row["activity"] for row in rows}
    assert all((row["datasets"], row["nodes"], row["flows"]) == (["files1/documents"], [], []) for row in rows)
    await running.call("PUT", "/resource-groups/files1", {"nodes": ["files1"]})
    await running.post("/grants", {"user": "eva", "role": "restorer", "group": "files1"})
    assert all(row["datasets"] == [] for row in (await eva.get("/session/access"))["rows"])


@with_master
async def test_a_share_of_a_policy_is_of_all_machines_and_follows_a_rename(running: Running) -> None:
    await the_office(running)
    await running.call("PUT", "/resource-groups/all", {"datasets": ["*/documents"]})
    await running.call("PUT", "/resource-groups/one", {"datasets": ["files1/documents", "files2/mail"]})
    eva = await as_user(running, "eva", "viewer", "all")
    assert {point["dataset"] for point in (await eva.get("/points"))["points"]} == {"files1/documents", "files2/documents"}
    await running.post("/nodes/files1/rename", {"name": "desk"})
    groups = {group["name"]: group["datasets"] for group in (await running.get("/resource-groups"))["groups"]}
    assert (groups["all"], groups["one"]) == (["*/documents"], ["desk/documents", "files2/mail"])


@pytest.mark.parametrize(
    ("named", "is_covered"),
    [
        ("files1/documents", True),
        ("*/documents", True),
        ("files1/*", False),
        ("*", False),
        ("documents", False),
        ("files10/documents", False),
    ],
)
def test_a_dataset_is_named_whole_or_by_its_policy(named: str, is_covered: bool) -> None:
    group = ResourceGroup(name="g", datasets=frozenset({named}))
    assert covers(group, Resource(kind="dataset", name="files1/documents")) is is_covered
    assert not covers(group, Resource(kind="node", name="files1", nodes=frozenset({"files1"})))
