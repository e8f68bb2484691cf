"""Everything that is asked of the Master is in its audit log, and nobody changes the log unseen."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from sqlalchemy import text

from holdfast.model.audit import SECRET_NAMES, Anchor, AnchorsTold
from tests.master.masters import ONE_TO_TWO, Running, with_master


async def records(running: Running, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await running.get("/audit", limit=1_000, **wanted))["records"]
    return list(reversed(found))


def in_the_database(running: Running, statement: str) -> None:
    running.master.base.database.run_now(lambda session: session.execute(text(statement)))


@with_master
async def test_a_change_is_written_down_before_and_after_it_is_made(running: Running) -> None:
    await running.apply(ONE_TO_TWO, comment="the first")
    asked, ended = (await records(running, activity="apply"))[-2:]
    assert (asked["phase"], asked["user"], asked["error"]) == ("asked", "admin", "")
    assert asked["target"] == "PUT /api/v1/environment"
    assert json.loads(asked["arguments"])["body"]["comment"] == "the first"
    assert (ended["phase"], ended["of"], ended["error"]) == ("ended", asked["number"], "")


@with_master
async def test_what_was_refused_and_what_was_no_call_at_all_is_there_with_its_code(running: Running) -> None:
    await running.post("/jobs/beef/cancel", {}, status=404)
    await running.call("POST", "/tokens", {"nonsense": 1}, status=400)
    ends = {record["activity"]: record["error"] for record in await records(running) if record["phase"] == "ended"}
    assert ends["cancel"] == "unknown-name"
    assert ends["create_token"] == "usage"


@with_master
async def test_searches_are_there_and_other_looks_are_not(running: Running) -> None:
    await running.get("/find", pattern="*.key")
    await running.get("/nodes")
    found = await records(running)
    assert [(record["phase"], record["activity"]) for record in found][-1] == ("looked", "find")
    assert json.loads(found[-1]["arguments"])["query"]["pattern"] == "*.key"
    assert not [record for record in found if record["activity"] in ("nodes", "audit")]


@with_master
async def test_a_login_is_there_with_its_name_and_without_its_password(running: Running) -> None:
    await running.anonymous.post("/api/v1/login", json={"user": "mallory", "password": "guessed-wrong"})
    (record,) = await records(running, activity="login")
    assert (record["user"], record["error"], record["of"]) == ("", "not-authenticated", 0)
    assert json.loads(record["arguments"])["body"] == {"user": "mallory", "password": "(not written down)"}
    assert b"guessed-wrong" not in running.records_as_stored()


@with_master
async def test_no_body_has_a_secret_that_would_be_written_down(running: Running) -> None:
    document = (await running.http.get("/api/v1/openapi.json")).json()
    asked = {
        name.lower() for item in document["paths"].values() for call in item.values() for name in _names(call.get("requestBody"), document)
    }
    suspicious = {name for name in asked if any(word in name for word in ("password", "secret", "token", "passphrase", "code", "proof"))}
    assert {"password", "code", "token"} <= suspicious <= SECRET_NAMES


def _names(schema: Any, document: dict[str, Any]) -> set[str]:
    """Of all properties in a schema, however deep."""
    if isinstance(schema, list):
        return {name for each in schema for name in _names(each, document)}
    if not isinstance(schema, dict):
        return set()
    if "$ref" in schema:
        return _names(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], document)
    return set(schema.get("properties", {})) | {name for each in schema.values() for name in _names(each, document)}


@with_master
async def test_what_cannot_be_written_down_is_not_done(running: Running) -> None:
    in_the_database(running, "ALTER TABLE audit RENAME TO elsewhere")
    await running.call("POST", "/tokens", {"name": "new"}, status=500)
    in_the_database(running, "ALTER TABLE elsewhere RENAME TO audit")
    assert "new" not in [token["name"] for token in (await running.get("/tokens"))["tokens"]]


@with_master
async def test_a_node_that_makes_records_up_fills_neither_log_nor_memory(running: Running) -> None:
    await running.connect("files1")
    node = running.nodes["files1"].identity.node
    for number in range(1_000, 1_030):
        wrong = Anchor(number=number, at=running.master.base.now(), digest="0" * 64)
        told = partial(running.master.audit.contradicted, node=node, anchors=(wrong,))
        await running.master.base.database.run(told)
    assert len((await running.get("/logs", code="audit-contradicted"))["events"]) == 20


@with_master
async def test_a_node_keeps_the_newest_and_sees_a_rewritten_log(running: Running) -> None:
    await running.apply(ONE_TO_TWO)
    await running.connect("files1")
    node = running.nodes["files1"]
    told = node.told[-1]
    assert told is not None
    node.anchors = (told,)
    await node.disconnect()
    await running.until_offline(node.identity.node)
    in_the_database(running, f"UPDATE audit SET digest = '{'0' * 64}' WHERE number = {told.number}")
    node.answer = lambda question: AnchorsTold(anchors=node.anchors)
    await node.connect(running.hub_address)
    events = (await running.get("/logs"))["events"]
    assert [event["facts"]["record"] for event in events if event["code"] == "audit-contradicted"] == [str(told.number)]
    found = await running.get("/audit/verification")
    assert found["witnesses"] == {"files1": 1}
    assert {finding["code"] for finding in found["findings"]} >= {"audit-edited", "audit-rewritten"}


@with_master
async def test_edited_removed_and_cut_off_rows_are_found(running: Running) -> None:
    for number in range(4):
        await running.call("POST", "/tokens", {"name": f"t{number}"})
    assert (await running.get("/audit/verification"))["findings"] == []
    await running.connect("files1")
    node = running.nodes["files1"]
    told = node.told[-1]
    assert told is not None
    node.answer = lambda question: AnchorsTold(anchors=(told,))
    in_the_database(running, "DELETE FROM audit WHERE number = 2")
    in_the_database(running, f"DELETE FROM audit WHERE number >= {told.number}")
    found = {(each["code"], each["number"]) for each in (await running.get("/audit/verification"))["findings"]}
    assert found == {("audit-removed", 2), ("audit-cut-off", told.number - 1)}


@with_master
async def test_lines_come_page_by_page(running: Running) -> None:
    for number in range(3):
        await running.call("POST", "/tokens", {"name": f"t{number}"})
    lines, after = [], 0
    while after is not None:
        page = await running.get("/audit/lines", after=after, limit=2)
        lines += page["lines"]
        after = page["next"]
    assert [json.loads(line["record"])["number"] for line in lines] == list(range(1, len(lines) + 1))
