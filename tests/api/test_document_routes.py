"""The document for a canvas over the API: values and places, edits on a revision, the list of revisions."""

from __future__ import annotations

from typing import Any

from holdfast.compiler.edits import document_values
from holdfast.core.errors import OutsideLimits
from holdfast.model.questions import Answer, Question
from holdfast.model.sampling import AskSample, Sample, SampleRow
from tests.master.masters import ONE_TO_TWO, Running, with_master

EVERY = ["policies", "documents", "operations", "backup", "every"]


def put(path: list[str | int], value: Any) -> dict[str, Any]:
    return {"op": "set", "path": path, "value": value}


async def edit(running: Running, base: int, *operations: dict[str, Any], status: int = 200, **more: Any) -> Any:
    return await running.call("POST", "/environment/edit", {"base_revision": base, "operations": operations, **more}, status=status)


@with_master
async def test_an_edit_makes_a_revision_and_keeps_the_rest(running: Running) -> None:
    base = (await running.apply(ONE_TO_TWO))["revision"]
    edited = await edit(running, base, put(EVERY, "15m"), comment="oftener")
    assert edited["revision"] == edited["newest_revision"] == base + 1
    assert edited["text"] == ONE_TO_TWO.replace("every: 1h", "every: 15m")
    assert [(change["kind"], change["what"]) for change in edited["changes"]] == [("changed", "policy")]
    newest = await running.get("/environment")
    assert (newest["text"], newest["author"], newest["comment"]) == (edited["text"], "admin", "oftener")
    assert (await edit(running, base + 1, put(EVERY, "15m")))["revision"] == base + 1
    removed = await edit(running, base + 1, {"op": "remove", "path": ["nodes", "files1"]}, {"op": "remove", "path": ["flows"]})
    assert removed["revision"] == base + 2


@with_master
async def test_a_dry_run_stores_nothing_and_shows_what_is_wrong(running: Running) -> None:
    base = (await running.apply(ONE_TO_TWO))["revision"]
    shown = await edit(running, base, put(EVERY, "often"), dry_run=True)
    assert (shown["valid"], shown["revision"], shown["newest_revision"]) == (False, base, base)
    assert [each["code"] for each in shown["diagnostics"]] == ["bad-duration"]
    assert (await running.get("/environment"))["revision"] == base
    error = await edit(running, base, put(EVERY, "often"), status=422)
    assert error["error"]["code"] == "invalid-document"
    assert (await edit(running, base, {"op": "remove", "path": ["nope"]}, status=400))["error"]["code"] == "usage"
    await edit(running, base, {"op": "swap", "path": ["nodes"]}, status=400)


@with_master
async def test_a_working_copy_is_edited_before_it_is_stored(running: Running) -> None:
    base = (await running.apply(ONE_TO_TWO))["revision"]
    mine = ONE_TO_TWO.replace("every: 1h", "every: 2h") + "# mine\n"
    shown = await edit(running, base, put(["nodes", "files2"], {}), text=mine, dry_run=True)
    assert shown["text"] == mine.replace("dr: {}}", "dr: {}, files2: {}}")
    assert (shown["valid"], shown["values"]["nodes"]["files2"], shown["places"]["environment"]) == (True, {}, [2, 1])
    assert shown["document"]["policies"][0]["operations"][0]["when"]["every_s"] == 7200
    assert {(change["kind"], change["name"]) for change in shown["changes"]} == {("added", "files2"), ("changed", "documents")}
    read = await edit(running, base, text=mine, dry_run=True)
    assert (read["text"], read["revision"], read["newest_revision"]) == (mine, base, base)
    torn = await edit(running, base, text="a: [", dry_run=True)
    assert (torn["valid"], torn["values"], torn["document"], torn["text"]) == (False, {}, None, "a: [")
    assert [each["code"] for each in torn["diagnostics"]] == ["yaml-syntax"]
    assert (await edit(running, base, put(EVERY, "2h"), text="a: [", dry_run=True, status=422))["error"]["code"] == "invalid-document"
    assert (await edit(running, base, text=mine, status=400))["error"]["code"] == "usage"
    await edit(running, base + 1, text=mine, dry_run=True, status=404)
    assert (await running.get("/environment"))["revision"] == base


@with_master
async def test_a_working_copy_is_compiled_before_it_is_stored(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    base = (await running.apply(ONE_TO_TWO))["revision"]
    await running.post("/flows/office/activate")
    mine = ONE_TO_TWO.replace("last: 50", "last: 9")
    report = await running.post("/flows/office/compile", {"text": mine})
    assert (report["valid"], report["revision"]) == (True, base)
    assert [change["node_name"] for change in report["changes"]] == ["dr", "vault"]
    assert (await running.post("/flows/office/compile"))["changes"] == []
    wrong = await running.post("/flows/office/compile", {"text": mine.replace("last: 9", "last: often")})
    assert (wrong["valid"], wrong["summary"]["nodes"], wrong["changes"]) == (False, [], [])
    assert [(each["code"], each["where"]["name"]) for each in wrong["diagnostics"]] == [("wrong-type", "documents/backup")]
    unread = await running.post("/flows/office/compile", {"text": "a: ["})
    assert [each["code"] for each in unread["diagnostics"]] == ["yaml-syntax"]
    assert (await running.get("/flows"))["flows"][0]["state"] == "active"


@with_master
async def test_a_fix_of_the_compiler_is_an_edit_of_the_working_copy(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    base = (await running.apply(ONE_TO_TWO))["revision"]
    mine = ONE_TO_TWO.replace("{repository: main}", "{repository: mian}").replace(", keep: {last: 50}", "")
    for code in ("unknown-repository", "no-keep"):
        report = await running.post("/flows/office/compile", {"text": mine})
        (fix,) = next(each["fixes"] for each in report["diagnostics"] if each["code"] == code)
        mine = (await edit(running, base, *fix["edits"], text=mine, dry_run=True))["text"]
    assert mine == ONE_TO_TWO.replace("{last: 50}", "{hourly: 24, daily: 30, monthly: 12}")
    assert (await running.post("/flows/office/compile", {"text": mine}))["diagnostics"] == []


@with_master
async def test_a_moved_vertex_is_a_revision_and_changes_no_flow(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    base = (await running.apply(ONE_TO_TWO))["revision"]
    await running.post("/flows/office/activate")
    moved = await edit(running, base, put(["flows", "office", "vertices", "files", "place"], [40, -20]))
    assert moved["revision"] == base + 1
    assert moved["changes"] == [{"kind": "changed", "what": "flow", "name": "office", "details": ["places on the canvas"]}]
    assert moved["document"]["flows"][0]["vertices"][0]["place"] == [40, -20]
    assert (await running.get("/flows"))["flows"][0]["state"] == "active"
    compiled = await running.post("/flows/office/compile")
    assert (compiled["changes"], compiled["reactivated"]) == ([], [])


@with_master
async def test_two_people_edit_and_nothing_is_lost(running: Running) -> None:
    base = (await running.apply(ONE_TO_TWO))["revision"]
    await edit(running, base, put(EVERY, "15m"))
    mine = put(["nodes", "files2"], {})
    refused = (await edit(running, base, mine, status=409))["error"]
    assert refused["code"] == "conflict"
    assert (refused["context"]["base_revision"], refused["context"]["newest_revision"]) == (str(base), str(base + 1))
    shown = await edit(running, base, mine, dry_run=True)
    assert (shown["revision"], shown["newest_revision"]) == (base, base + 1)
    assert {(change["kind"], change["name"]) for change in shown["changes"]} == {("added", "files2"), ("changed", "documents")}
    merged = await edit(running, base + 1, mine)
    assert "every: 15m" in merged["text"]
    assert "files2" in merged["text"]


@with_master
async def test_a_working_copy_is_merged_with_what_others_applied(running: Running) -> None:
    base = (await running.apply(ONE_TO_TWO))["revision"]
    mine = ONE_TO_TWO.replace("last: 50", "last: 9").replace("# our", "# my")
    alone = await running.post("/environment/merge", {"base_revision": base, "text": mine})
    assert (alone["text"], alone["clean"], alone["newest_revision"], alone["theirs"]) == (mine, True, base, [])
    await edit(running, base, put(EVERY, "15m"), put(["nodes", "mail"], {}))
    merged = await running.post("/environment/merge", {"base_revision": base, "text": mine})
    expected = mine.replace("every: 1h", "every: 15m").replace("dr: {}}", "dr: {}, mail: {}}")
    assert document_values(merged["text"]) == document_values(expected)
    assert (merged["clean"], merged["valid"], merged["newest_revision"], merged["conflicts"]) == (True, True, base + 1, [])
    assert [(each["kind"], each["name"]) for each in merged["mine"]] == [("changed", "documents")]
    assert [(each["kind"], each["name"]) for each in merged["theirs"]] == [("added", "mail"), ("changed", "documents")]
    both = {"base_revision": base, "text": mine.replace("every: 1h", "every: 2h")}
    torn = await running.post("/environment/merge", both)
    assert torn["conflicts"] == [{"path": EVERY, "base": "1h", "mine": "2h", "theirs": "15m"}]
    assert (torn["clean"], "every: 2h" in torn["text"]) == (False, True)
    assert "every: 15m" in (await running.post("/environment/merge", {**both, "prefer": "theirs"}))["text"]
    assert (await running.get("/environment"))["revision"] == base + 1
    unread = await running.call("POST", "/environment/merge", {"base_revision": base, "text": "a: ["}, status=422)
    assert unread["error"]["code"] == "invalid-document"
    await running.call("POST", "/environment/merge", {"base_revision": base + 5, "text": mine}, status=404)


@with_master
async def test_the_document_is_read_as_values_with_places(running: Running) -> None:
    number = (await running.apply(ONE_TO_TWO))["revision"]
    read = await running.get("/environment/document")
    assert read["revision"] == number
    assert read["values"]["policies"]["documents"]["operations"]["backup"] == {"every": "1h", "keep": {"last": 50}}
    assert read["document"]["policies"][0]["operations"][0]["when"]["every_s"] == 3600
    line, column = read["places"]["flows.office.movers[0]"]
    assert ONE_TO_TWO.splitlines()[line - 1][column - 1 :].startswith("{from: files, to: store")
    assert read["diagnostics"] == []
    assert (await running.get("/environment/document", revision=1))["values"] == {"environment": "office"}


@with_master
async def test_revisions_are_listed_and_read(running: Running) -> None:
    for number in range(3):
        await running.apply(f"{ONE_TO_TWO}# {number}\n", comment=f"change {number}")
    listed = await running.get("/environment/revisions", limit=2)
    assert [(each["revision"], each["comment"]) for each in listed["revisions"]] == [(4, "change 2"), (3, "change 1")]
    assert listed["more"]
    older = await running.get("/environment/revisions", before=3)
    assert ([each["revision"] for each in older["revisions"]], older["more"]) == ([2, 1], False)
    assert (await running.get("/environment/revisions/3"))["text"] == f"{ONE_TO_TWO}# 1\n"
    await running.get("/environment/revisions/9", status=404)
    await running.get(f"/environment/revisions/{10**30}", status=400)


@with_master
async def test_a_sample_is_asked_of_the_node(running: Running) -> None:
    row = SampleRow(path="/srv/a.tmp", kind="file", size_bytes=5, rule="exclude", detail="*.tmp")
    asked: list[AskSample] = []

    def answer(question: Question) -> Answer:
        assert isinstance(question, AskSample)
        asked.append(question)
        if question.classification.paths == ("/etc",):
            raise OutsideLimits("/etc may not be read on this machine")
        return Sample(left_out=(row,), left_out_total=1, complete=False)

    await running.connect("files1")
    running.nodes["files1"].answer = answer
    body = {"classification": {"paths": ["/srv"], "exclude": ["*.tmp"], "larger_than": "1KiB"}, "limit": 7}
    found = await running.post("/nodes/files1/sample", body)
    assert (found["valid"], found["complete"], found["left_out"][0]["detail"]) == (True, False, "*.tmp")
    assert (asked[0].limit, asked[0].classification.larger_than_bytes, asked[0].classification.exclude) == (7, 1024, ("*.tmp",))
    wrong = await running.post("/nodes/files1/sample", {"classification": {"paths": ["srv"], "exlude": []}})
    assert not wrong["valid"]
    assert {each["where"]["path"] for each in wrong["diagnostics"]} == {"classification.paths[0]", "classification.exlude"}
    assert len(asked) == 1
    refused = await running.call("POST", "/nodes/files1/sample", {"classification": {"paths": ["/etc"]}}, status=403)
    assert refused["error"]["code"] == "outside-limits"
    await running.call("POST", "/nodes/nobody/sample", {"classification": {"paths": ["/etc"]}}, status=404)
    await running.call("POST", "/nodes/files1/sample", {"classification": {"paths": ["/srv"]}, "limit": 1000}, status=400)
