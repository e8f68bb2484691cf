"""The status of the whole: merged, with what was last known of who is silent."""

from __future__ import annotations

import msgspec

from holdfast.model.jobs import State
from holdfast.model.node_status import NodeStatus, Protection
from holdfast.model.repository_status import RepositoryStatus
from tests.master.machines import MOMENT, office
from tests.master.masters import Running, with_master


@with_master
async def test_status_merges_and_does_not_hide_the_silent(running: Running) -> None:
    machines = await office(running)
    dataset = machines["files1"].node.taken[-1].datasets[0].id
    good = Protection(
        dataset="files1/documents", dataset_id=dataset, operation="backup", receiver="main", state=State.SUCCEEDED, last_at=MOMENT
    )
    machines["files1"].status = NodeStatus(node="files1", generation=1, protections=(good,))
    repository = machines["vault"].node.taken[-1].repositories[0]
    machines["vault"].status = NodeStatus(
        node="vault",
        generation=1,
        repositories=(RepositoryStatus(id=repository.id, name="main", location="/srv/main"),),
    )
    status = await running.get("/status")
    assert status["ok"]
    assert status["repositories"][0]["node"] == "vault"
    machines["files1"].status = NodeStatus(
        node="files1", generation=1, protections=(msgspec.structs.replace(good, overdue=True, state=State.FAILED),)
    )
    status = await running.get("/status")
    assert (status["ok"], status["datasets"], status["overdue"], status["failed"]) == (False, 1, 0, 1)
    await machines["files1"].node.disconnect()
    await running.until_offline(machines["files1"].node.identity.node)
    status = await running.get("/status")
    backup = next(p for p in status["protections"] if p["operation"] == "backup" and p["dataset"] == "files1/documents")
    assert (status["ok"], backup["state"], backup["last_at"]) == (False, "unknown", "2026-01-02T03:04:05Z")
    assert backup["error"]["code"] == "not-reachable"
    assert {"replicate", "backup"} <= {p["operation"] for p in status["protections"]}
    assert [f["node"] for f in status["findings"] if f["code"] == "node-silent"] == ["files1"]
