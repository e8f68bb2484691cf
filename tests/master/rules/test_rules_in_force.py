"""What a node's rules make it do, in words; what its limits allow; and its folders, asked through the Master."""

from __future__ import annotations

from holdfast.core.errors import OutsideLimits
from holdfast.model.questions import Answer, AskLimits, Failed, LimitsTold, Question
from holdfast.model.sampling import AskFolders, Folder, Folders
from holdfast.testing.simulated_node import answer_nothing
from tests.master.masters import ONE_TO_TWO, Running, with_master


def a_machine(question: Question) -> Answer:
    match question:
        case AskLimits():
            return LimitsTold(read=("/srv",), write=(), hooks="/etc/hooks")
        case AskFolders(path=b"/srv/\xff"):
            return Folders(
                path="/srv/\\xff", path_raw=b"/srv/\xff", folders=(Folder(name="a", path="/srv/\\xff/a", path_raw=b"/srv/\xff/a"),)
            )
        case AskFolders():
            return Failed(error=OutsideLimits("may not be read", hint="add it").facts())
    return answer_nothing(question)


@with_master
async def test_the_rules_in_force_are_told_in_words(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    before = await running.get("/nodes/vault/rules")
    assert (before["generation"], before["wanted_generation"], before["lines"], before["limits"]) == (0, 0, [], None)
    running.nodes["vault"].answer = a_machine
    await running.apply(ONE_TO_TWO)
    activated = await running.post("/flows/office/activate")
    compiled = await running.post("/flows/office/compile")
    for name in ("files1", "vault", "dr"):
        told = await running.get(f"/nodes/{name}/rules")
        assert told["generation"] == told["wanted_generation"] > 0
        (summary,) = [node for node in compiled["summary"]["nodes"] if node["node"] == name]
        assert told["lines"] == summary["lines"]
    assert "implements" in activated["summary_text"]
    assert (await running.get("/nodes/vault/rules"))["limits"] == {"read": ["/srv"], "write": [], "hooks": "/etc/hooks"}
    assert (await running.get("/nodes/files1/rules"))["limits"] is None
    await running.get("/nodes/nobody/rules", status=404)


@with_master
async def test_rules_that_have_not_arrived_are_not_told_as_in_force(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    old = await running.get("/nodes/files1/rules")
    await running.nodes["files1"].disconnect()
    await running.until_offline(running.nodes["files1"].identity.node)
    await running.apply(ONE_TO_TWO.replace("/srv/documents", "/srv/other"))
    await running.post("/flows/office/activate")
    told = await running.get("/nodes/files1/rules")
    assert told["lines"] == old["lines"]
    assert told["generation"] == old["generation"] < told["wanted_generation"]


@with_master
async def test_folders_are_asked_by_bytes_and_refusals_come_through(running: Running) -> None:
    await running.connect("vault")
    node = running.nodes["vault"]
    node.answer = a_machine
    found = await running.post("/nodes/vault/folders", {"path": "/srv/%ff"})
    assert (found["path_raw"], found["error"]) == ("L3Nydi//", None)
    assert node.asked[-1] == AskFolders(path=b"/srv/\xff")
    refused = await running.post("/nodes/vault/folders", {"path": "/etc"}, status=403)
    assert refused["error"]["code"] == "outside-limits"
    await running.post("/nodes/vault/folders", {"path": "x" * 20_000}, status=400)
    await node.disconnect()
    await running.until_offline(node.identity.node)
    await running.post("/nodes/vault/folders", {}, status=503)
    await running.post("/nodes/nobody/folders", {}, status=404)
