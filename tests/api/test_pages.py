"""Long lists by page, and a status that is kept by parts: whoever asks is shown what is theirs, whatever was kept for others before."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.api import replies
from holdfast.master.hub import looks
from holdfast.model.jobs import State
from holdfast.model.node_status import NodeStatus, Protection
from holdfast.model.questions import AskStatus, Question
from tests.api.test_narrowed import a_job, the_office
from tests.api.test_users_and_grants import as_user
from tests.master.masters import Running, with_master

NAMES = ("files1", "files2", "vault")


@with_master
async def test_nodes_come_by_page_and_one_by_its_name(running: Running) -> None:
    await running.connect("b", "c", "a", "d")
    whole = await running.get("/nodes")
    assert ([node["name"] for node in whole["nodes"]], whole["next"]) == (["a", "b", "c", "d"], None)
    first = await running.get("/nodes", limit=3)
    assert ([node["name"] for node in first["nodes"]], first["next"]) == (["a", "b", "c"], "c")
    rest = await running.get("/nodes", limit=3, after=first["next"])
    assert (rest["nodes"], rest["next"]) == (whole["nodes"][3:], None)
    # A node that has left since: the page goes on where it would have been.
    assert [node["name"] for node in (await running.get("/nodes", after="bb"))["nodes"]] == ["c", "d"]
    assert [node["name"] for node in (await running.get("/nodes", name="c"))["nodes"]] == ["c"]
    assert (await running.get("/nodes", name="x"))["nodes"] == []
    await running.get("/nodes", limit=0, status=400)


@with_master
async def test_what_is_kept_for_one_is_shown_to_nobody_else(running: Running) -> None:
    await the_office(running)
    eva = await as_user(running, "eva", "viewer", "left")
    max_ = await as_user(running, "max", "viewer", "second")
    for _ in range(2):
        whole = await running.get("/status")
        assert [node["name"] for node in whole["nodes"]] == list(NAMES)
        assert {each["dataset"] for each in whole["protections"]} == {"files1/documents", "files2/documents"}
        for somebody, theirs, others in ((eva, "files1", "files2"), (max_, "files2", "files1")):
            for query in ({}, {"limit": 1}):
                status = await somebody.get("/status", **query)
                assert {each["dataset"] for each in status["protections"]} == {f"{theirs}/documents"}
                assert others not in str(status)
                assert status["totals"]["protections"] == sum(f"{theirs}/" in each["dataset"] for each in whole["protections"])
        assert [node["name"] for node in (await eva.get("/nodes", limit=1))["nodes"]] == ["files1"]
        # That there is more behind their page is said of what is theirs alone.
        assert (await eva.get("/nodes", limit=1))["next"] is None
        assert (await eva.get("/nodes", name="files2"))["nodes"] == []
        assert (await eva.get("/flows"))["flows"] == []
        assert [flow["name"] for flow in (await max_.get("/flows"))["flows"]] == ["two"]
        assert [flow["name"] for flow in (await running.get("/flows"))["flows"]] == ["one", "two"]
        await eva.get("/flows/two/monitor", status=404)
        await max_.get("/flows/two/monitor")
    await running.call("DELETE", "/grants/max/viewer/second")
    for path in ("/status", "/nodes", "/flows"):
        await max_.refused("GET", path)


@with_master
async def test_a_limited_status_has_the_worst_first_and_counts_all(running: Running) -> None:
    await the_office(running)
    whole = await running.get("/status")
    assert whole["totals"] == {name: len(whole[name]) for name in whole["totals"]}
    first = whole["protections"][0]
    bad = Protection(
        dataset="files2/documents", dataset_id=first["dataset_id"], operation="backup", receiver="vault", state=State.FAILED, overdue=True
    )
    running.nodes["vault"].answer = lambda _: NodeStatus(node="vault", generation=1, protections=(bad,))
    short = await running.get("/status", limit=1)
    assert [each["state"] for each in short["protections"]] == ["failed"]
    assert (len(short["nodes"]), short["totals"]["nodes"]) == (1, 3)
    assert short["ok"] is False
    wide = await running.get("/status", limit=100)
    assert wide["protections"] == (await running.get("/status"))["protections"]
    await running.get("/status", limit=0, status=400)


@with_master
async def test_of_a_crowd_each_is_asked_and_again_when_it_tells_of_a_job(running: Running) -> None:
    """Where many are looked at nobody waits for answers that are known; who reports is asked without anybody looking."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looks, "MOST_AT_ONCE", 1)
        patch.setattr(looks, "ASKED_S", 0.1)  # An answer of three nodes is old after 30 s, and no machine is that slow.
        office = await the_office(running)

        def asked() -> int:
            return sum(isinstance(question, AskStatus) for question in office.asked)

        status = await running.get("/status")
        assert (asked(), status["unknown"]) == (3, 0)
        # Known by now, and not old: nobody is asked for this.
        assert (await running.get("/status"))["protections"] == status["protections"]
        assert asked() == 3
        vault = running.nodes["vault"]
        again: list[Question] = []

        def failed(question: Question) -> NodeStatus:
            again.append(question)
            (one, *_) = status["protections"]
            bad = Protection(dataset=one["dataset"], dataset_id=one["dataset_id"], operation="backup", receiver="v", state=State.FAILED)
            return NodeStatus(node="vault", generation=1, protections=(bad,))

        vault.answer = failed
        await vault.report(2, (a_job("7", "files1/documents"),))
        await vault.until(lambda: bool(again))
        while (found := await running.get("/status"))["failed"] == 0:
            pass
        assert found["ok"] is False
        assert len(again) == 1
        await vault.disconnect()
        await running.until_offline(vault.identity.node)
        assert [found["code"] for found in (await running.get("/status"))["findings"] if found["node"] == "vault"] == ["node-silent"]


def test_a_row_is_encoded_once_for_as_long_as_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def shown(row: list[int]) -> list[int]:
        made.append(row[0])
        return row

    monkeypatch.setattr(replies, "_ROWS_KEPT", 10)
    rows, some = replies.Rows(), [[number] for number in range(40)]
    for turn in range(30):
        # Each time there is one more that nobody asks for again.
        asked = [*some, [100 + turn]]
        assert msgspec.json.decode(bytes(rows.encoded(asked, shown))) == asked
        assert msgspec.json.decode(bytes(rows.encoded(some[:5], shown))) == some[:5]
    assert made == [*range(40), *range(100, 130)]
    assert len(rows) < 4 * len(some)
