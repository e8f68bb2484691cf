"""A path of which nothing was ever kept is told as that, once everybody was asked."""

from __future__ import annotations

from tests.master.machines import with_points
from tests.master.masters import Running, with_master


@with_master
async def test_the_history_of_a_path_that_nobody_knows_is_an_error_unless_somebody_is_silent(running: Running) -> None:
    machines = await with_points(running)
    never = await running.get("/history", path="/never", dataset="files1/documents", status=404)
    assert never["error"]["message"] == "nothing was ever kept of /never in files1/documents"
    assert "holdfast find" in never["error"]["hint"]
    await machines["dr"].node.disconnect()
    await running.until_offline(machines["dr"].node.identity.node)
    silent = await running.get("/history", path="/never")
    assert (silent["rows"], [gap["repository"] for gap in silent["unreachable"]]) == ([], ["offsite"])


@with_master
async def test_what_may_lie_with_somebody_who_is_silent_is_not_said_to_be_nowhere(running: Running) -> None:
    """By a point and by a dataset the same: who asks is to try again."""
    machines = await with_points(running)
    for name in ("vault", "dr"):
        await machines[name].node.disconnect()
        await running.until_offline(machines[name].node.identity.node)
    wish = {"to": "/restored", "node": "files1"}
    for named in ({"point": "abcdef01"}, {"dataset": "files1/documents"}):
        refused = (await running.post("/restores", {**wish, **named}, status=503))["error"]
        assert refused["code"] == "not-reachable"
        assert "; silent: " in refused["message"]
