"""Questions whose owners may be silent: what they said is merged, and who did not answer is named."""

from __future__ import annotations

from datetime import timedelta

from holdfast.model.restoring import AskRestore
from tests.master.machines import a_point, asked, with_points
from tests.master.masters import Running, with_master


@with_master
async def test_an_address_is_what_was_newest_then_and_moments_are_told_once(running: Running) -> None:
    machines = await with_points(running)
    started = await running.post("/restores", {"point": "files1/documents@2026-01-01T02:00:00Z", "to": "/back"})
    assert started["point"]["time"] == "2026-01-01T01:00:00Z"
    await running.post("/restores", {"point": "files1/documents@noon", "to": "/back"}, status=404)
    assert len(asked(machines["files1"], AskRestore)) == 1
    found = await running.get("/moments", dataset="files1/documents", since="2026-01-01", limit=5)
    assert len(found["moments"]) == 1
    assert found["moments"][0]["address"] == "d" * 32 + "@2026-01-02T03:04:05.000000Z"


@with_master
async def test_points_of_silent_owners_are_named(running: Running) -> None:
    machines = await with_points(running)
    assert [p["repository"] for p in (await running.get("/points"))["points"]] == ["main", "offsite", "main"]
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    found = await running.get("/points")
    assert len(found["points"]) == 2
    assert [(u["repository"], u["node"], u["error"]["code"]) for u in found["unreachable"]] == [("offsite", "dr", "not-reachable")]
    assert (await running.get("/points", repository="main"))["unreachable"] == []
    await running.get("/points", repository="nothing", status=404)
    assert len((await running.get("/find", pattern="x"))["rows"]) == 1
    searched = await running.get("/search", name="x", match="part")
    assert [(u["repository"], u["node"]) for u in searched["unreachable"]] == [("offsite", "dr")]


@with_master
async def test_a_search_is_merged_page_by_page(running: Running) -> None:
    await with_points(running)
    shown, cursor = [], ""
    for _ in range(10):
        page = await running.get("/search", name="x", limit=2, cursor=cursor)
        shown += [hit["path"] for hit in page["hits"]]
        assert [(each["repository"], each["error"]["code"]) for each in page["unreachable"]] == [("r3", "store-error")]
        cursor = page["cursor"]
        if not cursor:
            break
    assert shown == ["/xa", "/xb", "/xc"]
    assert "place" not in page
    refused = await running.get("/search", name="x(", match="regex", status=400)
    assert (refused["error"]["context"]["place"], refused["error"]["context"]["position"]) == ("name", "2")
    await running.get("/search", status=400)
    await running.get("/search", name="x", cursor="?", status=400)


@with_master
async def test_listings_take_any_bytes(running: Running) -> None:
    await with_points(running)
    point = a_point(2, "main", 3, "").id
    rows = (await running.get("/ls", point=point, path="/srv/%FF%2B+ a"))["rows"]
    assert rows[0]["path_raw"] == "L3Nydi//Kysg" + "YQ=="
    await running.get("/ls", point="ffffffff", status=404)


@with_master
async def test_a_dataset_at_a_time_is_listed_where_its_newest_point_is(running: Running) -> None:
    machines = await with_points(running)
    told = {name: sorted(machine.points, key=lambda p: p.time) for name, machine in machines.items()}
    newest = max((points[-1] for points in told.values() if points), key=lambda p: p.time)
    found = await running.get("/ls", dataset=newest.dataset, path="/srv")
    assert (found["point"]["id"], found["point"]["repository"]) == (newest.id, newest.repository)
    oldest = min((points[0] for points in told.values() if points), key=lambda p: p.time)
    assert (await running.get("/ls", dataset=oldest.dataset, at=oldest.time.isoformat()))["point"]["id"] == oldest.id
    await running.get("/ls", dataset=oldest.dataset, at=(oldest.time - timedelta(seconds=1)).isoformat(), status=404)
    for wrong in ({}, {"point": newest.id, "dataset": newest.dataset}):
        await running.get("/ls", **wrong, status=400)
    rows = (await running.get("/history", path="/srv/a%2520b"))["rows"]
    assert [(row["path"], row["points"]) for row in rows] == [("/srv/a%20b", machines[name].number) for name in ("dr", "vault")]
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    silent = await running.get("/ls", dataset=newest.dataset)
    assert [gap["repository"] for gap in silent["unreachable"]] == ["offsite"]


@with_master
async def test_points_are_compared_where_both_are(running: Running) -> None:
    machines = await with_points(running)
    both = {"a": a_point(1, "main", 1, "").id, "b": a_point(2, "main", 3, "").id}
    found = await running.get("/diff", **both, path="/srv/%FF", recursive="true")
    assert [row["path"] for row in found["rows"]] == [f"/{machines['vault'].number}"]
    assert (found["a"]["id"], found["b"]["id"], found["unreachable"]) == (both["a"], both["b"], [])
    moments = dict.fromkeys(both, "files1/documents@2026-01-01T04:00:00Z")
    assert (await running.get("/diff", **moments))["b"]["id"] == both["b"]
    await running.get("/diff", **{**both, "b": "f" * 8}, status=404)
    await running.get("/diff", **both, limit=100_000, status=400)
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    assert (await running.get("/diff", **both))["unreachable"] == []
    assert [gap["repository"] for gap in (await running.get("/diff", **moments))["unreachable"]] == ["offsite"]
