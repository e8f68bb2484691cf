"""The log: chosen by everything, paged without gaps, acknowledged once, taken elsewhere whole."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.api.routes import log
from holdfast.master.records import lines
from holdfast.model.jobs import Event, Severity
from tests.master.masters import ONE_TO_TWO, Running, with_master
from tests.master.monitor.test_monitor import office

SEVERITIES = (Severity.INFO, Severity.WARNING, Severity.ERROR)


async def say(running: Running, name: str, *events: tuple[str, Severity, str, dict[str, str]]) -> None:
    node = running.nodes[name]
    number = node.received + 1
    now = running.master.base.now()
    made = tuple(
        Event(code=code, severity=severity, message=message, node=node.identity.node, time=now + timedelta(milliseconds=n), facts=facts)
        for n, (code, severity, message, facts) in enumerate(events)
    )
    await node.report(number, events=made)
    await node.until(lambda: node.received >= number)


async def of_session(running: Running, name: str, session: str, message: str) -> None:
    node = running.nodes[name]
    number, now = node.received + 1, running.master.base.now()
    line = Event(code="c", severity=Severity.ERROR, message=message, node=node.identity.node, time=now, session=session)
    await node.report(number, events=(line,))
    await node.until(lambda: node.received >= number)


async def messages(running: Running, **chosen: Any) -> list[str]:
    return [line["message"] for line in (await running.get("/logs", code="c", **chosen))["events"]]


@with_master
async def test_lines_are_chosen_by_node_severity_dataset_flow_job_words_and_time(running: Running) -> None:
    machines = await office(running)
    dataset = machines["files1"].node.taken[-1].datasets[0]
    await say(
        running,
        "files1",
        ("c", Severity.ERROR, "first of Documents", {"dataset": dataset.id}),
        ("c", Severity.INFO, "second", {"job": "abcd12"}),
    )
    await say(running, "dr", ("c", Severity.WARNING, "third", {}))
    assert await messages(running) == ["third", "second", "first of Documents"]
    assert await messages(running, node="files1") == ["second", "first of Documents"]
    assert await messages(running, severity="warning") == ["third", "first of Documents"]
    assert await messages(running, dataset="files1/documents") == ["first of Documents"]
    assert await messages(running, flow="office") == ["first of Documents"]
    assert await messages(running, job="abcd") == ["second"]
    assert await messages(running, text="DOCUMENTS") == ["first of Documents"]
    assert await messages(running, until="1h") == await messages(running, since="2099-01-01") == []
    assert len(await messages(running, since="1h")) == 3
    await of_session(running, "dr", "c0ffee" + "1" * 26, "fourth")
    await of_session(running, "dr", "c0ffee" + "2" * 26, "fifth")
    assert await messages(running, session="c0ffee") == ["fifth", "fourth"]
    assert await messages(running, session="c0ffee1", severity="error") == ["fourth"]
    assert await messages(running, session="c0ffee3") == []
    await running.get("/logs", status=400, session="C0%")
    await running.get("/logs", status=404, node="nobody")
    await running.get("/logs", status=404, flow="nothing")
    assert await messages(running, flow="office", dataset="files1/documents") == ["first of Documents"]
    await running.get("/logs", status=404, flow="office", dataset="files1/document")
    await running.get("/logs", status=400, since="soon")


TAGGED = ONE_TO_TWO.replace("vault: {}", "vault: {tags: [safe]}").replace("  documents:\n", "  documents:\n    tags: [papers]\n")


@with_master
async def test_a_tag_chooses_the_lines_of_nodes_and_about_datasets_that_bear_it(running: Running) -> None:
    machines = await office(running, TAGGED)
    dataset = machines["files1"].node.taken[-1].datasets[0]
    await say(running, "files1", ("c", Severity.INFO, "about Files1/Documents", {}), ("c", Severity.INFO, "about nothing", {}))
    await say(running, "vault", ("c", Severity.INFO, "of the vault", {}), ("c", Severity.INFO, "of it by id", {"dataset": dataset.id}))
    assert await messages(running, tag="safe") == ["of it by id", "of the vault"]
    assert await messages(running, tag="papers") == ["of it by id", "about Files1/Documents"]
    assert await messages(running, tag="papers", node="vault") == await messages(running, tag="safe", flow="office") == ["of it by id"]
    refused = await running.get("/logs", status=404, tag="paper")
    assert "papers" in refused["error"]["hint"]


@with_master
async def test_pages_follow_without_gaps_while_lines_come_in(running: Running) -> None:
    await running.connect("files1")
    await say(running, "files1", *(("c", Severity.INFO, f"line {n}", {}) for n in range(25)))
    seen: list[str] = []
    before: int | None = 0
    while before is not None:
        page = await running.get("/logs", code="c", limit=10, before=before)
        seen += [line["message"] for line in page["events"]]
        before = page["next"]
        await say(running, "files1", ("c", Severity.INFO, f"new {len(seen)}", {}))
    assert seen == [f"line {n}" for n in reversed(range(25))]


@with_master
async def test_a_search_that_finds_little_ends_early_and_goes_on(running: Running) -> None:
    await running.connect("files1")
    await say(running, "files1", ("c", Severity.INFO, "needle", {}), *(("c", Severity.INFO, f"hay {n}", {}) for n in range(5)))
    before_most, before_batch = lines.MOST_LOOKED_AT, lines._BATCH
    lines.MOST_LOOKED_AT, lines._BATCH = 4, 2
    try:
        first = await running.get("/logs", text="needle")
        assert first["events"] == []
        assert (await running.get("/logs", text="needle", before=first["next"]))["events"][0]["message"] == "needle"
    finally:
        lines.MOST_LOOKED_AT, lines._BATCH = before_most, before_batch


@with_master
async def test_an_acknowledged_line_says_who_and_why_and_is_no_open_error(running: Running) -> None:
    await running.connect("files1")
    await say(running, "files1", ("c", Severity.ERROR, "one", {}), ("c", Severity.ERROR, "two", {}))
    before = (await running.get("/status"))["unacknowledged"]
    two, one = (await running.get("/logs", code="c"))["events"]
    assert (await running.post("/logs/acknowledge", {"numbers": [one["number"]], "comment": "a test"}))["acknowledged"] == 1
    assert (await running.post("/logs/acknowledge", {"numbers": [one["number"]], "comment": "again"}))["acknowledged"] == 0
    assert await messages(running, acknowledged="false") == ["two"]
    (line,) = (await running.get("/logs", code="c", acknowledged="true"))["events"]
    assert (line["acknowledged_by"], line["comment"]) == ("admin", "a test")
    assert line["acknowledged_at"] is not None
    assert (await running.get("/status"))["unacknowledged"] == before - 1 == 1
    await running.post("/logs/acknowledge", {"numbers": [two["number"], 99_999]}, status=404)
    assert (await running.get("/status"))["unacknowledged"] == 1
    await running.post("/logs/acknowledge", {"numbers": []}, status=400)
    await running.post("/logs/acknowledge", {"numbers": [1 << 70]}, status=400)


def test_an_export_has_every_line_that_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_PAGE", 7)
    with_master(exported)(tmp_path)


async def exported(running: Running) -> None:
    await running.connect("files1")
    await say(running, "files1", *(("c", SEVERITIES[n % 3], f'=line "{n}", \n', {}) for n in range(50)))
    found = await running.http.get("/api/v1/logs/export", params={"code": "c", "severity": "error"})
    decoded = [json.loads(line) for line in found.text.splitlines()]
    assert len(decoded) == 16
    assert decoded[-1]["message"] == '=line "2", \n'
    table = await running.http.get("/api/v1/logs/export", params={"code": "c", "format": "csv"})
    rows = list(csv.reader(io.StringIO(table.text, newline="")))
    assert len(rows) == 51
    assert rows[0][0] == "number"
    assert rows[-1][5] == '\'=line "0", \n'
