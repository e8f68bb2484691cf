"""Documents simulated and schedules painted over the API; the calendar of what is active."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from holdfast.compiler.edits import document_values
from tests.compiler.test_samples import SAMPLES
from tests.master.masters import Running, with_master

TEXT = (SAMPLES / "valid" / "schedules.yaml").read_text()


@with_master
async def test_a_document_is_simulated_though_none_of_its_machines_has_joined(running: Running) -> None:
    found = await running.post("/environment/simulate", {"text": TEXT, "days": 30, "since": "2026-11-26T12:00:00Z"})
    simulation = found["simulation"]
    assert simulation["until"] == "2026-12-26T12:00:00Z"
    monthly = next(line for line in simulation["lines"] if line["operation"] == "monthly")
    assert (monthly["points"], monthly["kept"], monthly["receiver"]) == (2, 2, "store main on vault")
    assert [run["at"] for run in simulation["upcoming"]] == sorted(run["at"] for run in simulation["upcoming"])
    (unmet,) = simulation["unmet"]
    assert (unmet["operation"], unmet["reason"]) == ("backup", "window")


@with_master
async def test_what_cannot_be_compiled_says_why(running: Running) -> None:
    bad = await running.post("/environment/simulate", {"text": "policies: {x: 1}"})
    assert bad["simulation"] is None
    assert bad["diagnostics"]
    empty = await running.post("/environment/simulate", {})
    assert empty["simulation"]["lines"] == []
    for body in ({"days": 0}, {"since": "0001-01-01T00:00:00Z"}, {"since": "9999-12-31T00:00:00Z"}):
        assert (await running.post("/environment/simulate", body, status=400))["error"]["code"] == "usage"


@with_master
async def test_the_calendar_has_the_schedules_of_the_draft(running: Running) -> None:
    await running.apply(TEXT)
    found = await running.get("/schedules")
    assert [(row["name"], row["used_in"]) for row in found["schedules"]] == [
        ("nights", ["documents/backup"]),
        ("months", ["documents/monthly"]),
        ("", ["mail/backup"]),
    ]
    assert found["runs"] == []


@with_master
async def test_the_calendar_has_the_next_runs_of_what_is_active(running: Running) -> None:
    await running.apply(TEXT)
    await running.connect("files1", "vault")
    await running.post("/flows/office/activate")
    found = await running.get("/schedules", next=400)
    runs = found["runs"]
    assert len(runs) == 400
    assert [run["at"] for run in runs] == sorted(run["at"] for run in runs)
    assert {(run["node"], run["dataset"]) for run in runs} == {("files1", "files1/documents"), ("files1", "files1/mail")}
    moments = {datetime.fromisoformat(run["at"]).astimezone(ZoneInfo("Europe/Berlin")): run for run in runs}
    mail = [moment for moment, run in moments.items() if run["dataset"] == "files1/mail"]
    assert all((moment.hour, moment.minute) in ((12, 30), (22, 0)) for moment in mail)
    monthly = [moment for moment, run in moments.items() if run["operations"] == ["monthly"]]
    assert monthly, "it runs by trigger times alone, outside the windows of the other"
    (newest,) = (await running.get("/schedules", next=1))["runs"]
    # While a window is open the next run is due now, a moment later than when the first was asked.
    assert {**newest, "at": ""} == {**runs[0], "at": ""}
    assert (await running.get("/schedules", next=0))["runs"] == []

    await running.post("/flows/office/deactivate")
    assert (await running.get("/schedules"))["runs"] == []


@with_master
async def test_a_schedule_is_painted_as_it_is_written(running: Running) -> None:
    schedules = document_values(TEXT)["schedules"]
    body = {"schedule": schedules["months"], "since": "2026-12-01T00:00:00Z", "days": 31}
    painted = await running.post("/schedules/paint", body)
    assert painted["triggers"] == ["2026-12-05T00:00:00Z", "2026-12-31T22:30:00Z"]
    assert painted["open"] == [{"begin": "2026-12-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}]
    wrong = await running.post("/schedules/paint", {"schedule": {"windows": ["nights"]}, "since": "2026-12-01T00:00:00Z"})
    assert not wrong["valid"]
    assert [(each["code"], each["where"]["path"]) for each in wrong["diagnostics"]] == [("bad-window", "windows[0]")]
