"""Keep rules tried out over the API: parsed as the document would, answered in a moment, hostile values refused with a place."""

from __future__ import annotations

import time
from typing import Any

from tests.master.masters import Running, with_master


@with_master
async def test_a_year_of_hours_is_answered_in_a_moment(running: Running) -> None:
    body = {"keep": {"hourly": 24, "daily": 30, "weekly": 8, "monthly": 12, "yearly": 7, "within": "3d"}, "every": "1h"}
    await running.post("/keep/preview", body)
    started_s = time.process_time()
    found = await running.post("/keep/preview", body)
    assert time.process_time() - started_s < 0.3
    assert found["valid"]
    assert (found["taken_total"], found["truncated"]) == (400 * 24 + 1, False)
    assert found["kept_total"] == len(found["kept"]) < 130
    assert found["kept"][0]["time"] == found["to"]
    assert found["from"] <= found["kept"][-1]["time"] < found["to"]
    assert found["to"].endswith(":00Z")
    assert set(found["kept"][0]["reasons"]) == {"hourly", "daily", "weekly", "monthly", "yearly", "within"}


@with_master
async def test_what_is_wrong_is_said_with_its_place(running: Running) -> None:
    async def wrong(**body: Any) -> list[tuple[str, str]]:
        found = await running.post("/keep/preview", body)
        assert (found["valid"], found["kept"], found["taken_total"]) == (False, [], 0)
        return [(each["code"], each["where"]["path"]) for each in found["diagnostics"]]

    assert await wrong(keep={"dayly": 7}, every="1h") == [("unknown-key", "keep.dayly")]
    assert await wrong(keep={"daily": "7"}, every="1h") == [("wrong-type", "keep.daily")]
    assert await wrong(keep={"daily": 0}, every="1h") == [("bad-value", "keep.daily")]
    assert await wrong(keep={}, every="often") == [("bad-duration", "every")]
    assert await wrong(keep={}, at=["02:30", "25:00"]) == [("bad-time", "at[1]")]
    assert await wrong(keep={}, every="1h", zone="Mars/Olympus") == [("bad-zone", "zone")]
    assert await wrong(keep={"daily": {"x": [1]}}, every="1h") == [("wrong-type", "keep.daily")]
    assert await wrong(keep={}, every="1h\n  flows: {}") == [("bad-duration", "every")]


@with_master
async def test_requests_that_cannot_be_understood_are_refused(running: Running) -> None:
    for body in ({}, {"keep": {"daily": 1}}, {"keep": [], "every": "1h"}, {"every": "1h", "span_days": 4000}, {"every": 5}):
        refused = await running.post("/keep/preview", body, status=400)
        assert refused["error"]["code"] == "usage"
    await running.post("/keep/preview", {"every": "1h", "at": ["02:00"] * 101}, status=400)
    await running.post("/keep/preview", {"every": "1h", "keep": {"x" * 2000: 1}}, status=400)


@with_master
async def test_no_rules_keep_everything(running: Running) -> None:
    found = await running.post("/keep/preview", {"at": ["00:00", "12:00"], "zone": "Europe/Berlin", "span_days": 10})
    assert found["taken_total"] == found["kept_total"] == 20
    assert found["kept"][0]["reasons"] == ["all"]
