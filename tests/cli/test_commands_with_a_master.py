"""The commands against a real Master and node: one JSON value each, names that are nearly right, forms of restore, refusals."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli import exit_codes
from tests.e2e.world import eventually, restic
from tests.ports import first_of_a_row
from tests.typed import typed

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Desk:
    """A machine with `up` running: `data/letter.txt` is protected in `store` as `desk/data`, one point is there."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = typed(words, self.home, cwd=self.folder)
        assert done.returncode == expect, f"{words} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *words: str, expect: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", expect=expect).stdout)

    def point(self) -> str:
        return str(self.json("points", "--dataset", "desk/data")[-1]["id"])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    yield from _protected(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def new_desk(tmp_path: Path) -> Iterator[Desk]:
    yield from _protected(tmp_path)


def _protected(folder: Path) -> Iterator[Desk]:
    desk = Desk(folder)
    desk.data.mkdir()
    (desk.data / "letter.txt").write_text("dear")
    desk.run("up", "--detach", "--name", "desk", "--port", str(first_of_a_row()))
    try:
        desk.run("protect", "data", "--to", "../" + desk.folder.name + "/store", "--every", "30d")
        desk.run("trigger", "protect-data", "--wait")
        yield desk
    finally:
        desk.run("down")


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["status", "--days", "3"],
        ["monitor", "protect-data"],
        ["jobs", "--state", "succeeded", "--rule", "desk/data"],
        ["nodes"],
        ["jobs"],
        ["logs"],
        ["points"],
        ["export"],
        ["find", "*"],
        ["find", "nothing at all"],
        ["find", "*", "--versions"],
        ["find", "--size", ">1KB", "--existing", "--type", "file"],
        ["compile", "protect-data"],
        ["activate", "protect-data"],
        ["trigger", "protect-data", "--wait"],
        ["repository", "env", "main"],
        ["repository", "check", "main"],
        ["repository", "stats", "main"],
        ["repository", "growth", "main"],
        ["nodes", "show", "desk"],
        ["nodes", "authorise", "desk"],
        ["keep", "{daily: 7, within: 3d}", "--every", "1h"],
        ["schedules"],
        ["schedules", "--next", "3"],
        ["master", "token", "--hold"],
        ["master", "tokens"],
    ],
    ids=" ".join,
)
def test_json_is_one_value_and_nothing_else(desk: Desk, words: list[str]) -> None:
    done = desk.run(*words, "--json")
    json.loads(done.stdout)
    assert done.stderr == ""


def test_a_point_has_what_scripts_rely_on(desk: Desk) -> None:
    point = desk.json("points", "--dataset", "desk/data")[-1]
    assert {"id", "dataset", "operation", "repository", "time", "files", "bytes"} <= point.keys()
    assert (point["dataset"], point["operation"], point["repository"]) == ("desk/data", "backup", "main")
    assert point["time"].endswith("Z")


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["trigger", "protect-dat"], "protect-data"),
        (["trigger", "protect-data", "--policy", "dat"], "data"),
        (["trigger", "protect-data", "--operation", "backp"], "backup"),
        (["compile", "protect-dta"], "protect-data"),
        (["activate", "protect-dta"], "protect-data"),
        (["deactivate", "protect-dta"], "protect-data"),
        (["points", "--dataset", "desk/dta"], "desk/data"),
        (["points", "--repository", "mian"], "main"),
        (["find", "letter*", "--dataset", "desk/dat"], "desk/data"),
        (["moments", "desk/dat"], "desk/data"),
        (["ls", "--dataset", "desk/dat"], "desk/data"),
        (["diff", "--dataset", "desk/dat", "1h ago", "now"], "desk/data"),
        (["mirrors", "--dataset", "desk/dat"], "desk/data"),
        (["anomalies", "--dataset", "desk/dat"], "desk/data"),
        (["explain", "/nothing", "--dataset", "desk/dat"], "desk/data"),
        (["history", "/nothing", "--dataset", "desk/dat"], "desk/data"),
        (["download", "--dataset", "desk/dat", "/nothing"], "desk/data"),
        (["download", "--dataset", "desk/dat", "/nothing", "--link"], "desk/data"),
        (["mount", "--dataset", "desk/dat", "there"], "desk/data"),
        (["restore", "--dataset", "desk/dat", "--to", "back"], "desk/data"),
        (["repository", "check", "maim"], "main"),
        (["repository", "stats", "maim"], "main"),
        (["nodes", "show", "dsk"], "desk"),
        (["nodes", "revoke", "dsk"], "desk"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(desk: Desk, words: list[str], nearest: str) -> None:
    assert f"did you mean `{nearest}`?" in desk.run(*words, expect=exit_codes.USAGE).stderr


@pytest.mark.parametrize(
    "words",
    [
        ["jobs", "ffff"],
        ["ls", "ffff"],
        ["restore", "ffff", "--to", "x"],
        ["restore", "d", "--to", "x"],
        ["repository", "env", "mian"],
        ["history", "/nothing"],
        ["history", "/nothing", "--json"],
        ["explain", "/nothing"],
    ],
)
def test_what_is_not_there_is_2_with_a_hint(desk: Desk, words: list[str]) -> None:
    assert "  hint: " in desk.run(*words, expect=exit_codes.USAGE).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["points", "--tag", "none"], "no point is like that"),
        (["jobs", "--trigger", "none"], "no job is like that"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_that_there_is_nothing_is_said_in_a_sentence(desk: Desk, words: list[str], said: str) -> None:
    _says_only(desk, words, said)


def test_that_a_prune_has_nothing_to_do_is_said_in_a_sentence(new_desk: Desk) -> None:
    _says_only(new_desk, ["repository", "prune", "main", "--dry-run"], "main: there is nothing to give back")


def _says_only(desk: Desk, words: list[str], said: str) -> None:
    done = desk.run(*words)
    assert said in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).splitlines()) == 1, "and no empty table"


def test_keep_rules_are_shown_as_a_calendar(desk: Desk) -> None:
    shown = desk.run("keep", "{daily: 3, monthly: 2}", "--at", "02:30", "--at", "14:00", "--zone", "Europe/Berlin", "--days", "40")
    lines = shown.stdout.splitlines()
    # Both ends count: in the minute of a run there is one more.
    assert lines[0].startswith(("of 80 points taken since ", "of 81 points taken since "))
    assert lines[2].split() == ["DAY", "POINTS", "AT", "KEPT", "BY"]
    assert len(lines) in (6, 7)
    assert all(line.split()[2] == "1" for line in lines[3:])
    wrong = desk.run("keep", "{dayly: 3}", "--every", "1h", expect=exit_codes.USAGE)
    assert "did you mean `daily`?" in wrong.stderr
    for rules in ("daily", "[1]", "{"):
        assert "hint:" in desk.run("keep", rules, "--every", "1h", expect=exit_codes.USAGE).stderr
    assert "hint:" in desk.run("keep", "{daily: 3}", expect=exit_codes.USAGE).stderr


def test_a_document_is_played_through_before_it_is_applied(desk: Desk) -> None:
    text = desk.folder / "nightly.yaml"
    nightly = desk.run("export").stdout.replace("every: 30d", "every: 4h, schedule: nights")
    text.write_text(nightly + "schedules: {nights: {windows: ['22:00-06:00'], zone: Europe/Berlin}}\n")
    plan = ("plan", str(text), "--simulate", "30d", "--from", "2026-11-26T12:00:00Z")
    done = desk.run(*plan)
    assert re.search(r"^data/backup +store main on desk +1 +60 +60 +\d+ ", done.stdout, re.MULTILINE)
    assert "2026-11-26T21:00" in str(desk.json(*plan)["simulated"]["simulation"]["upcoming"][0]["at"])
    assert "data/backup at store main on desk cannot keep its RPO of 4h" in done.stderr
    assert "no window was open then (31 times in all)" in done.stderr
    assert "SCHEDULE" not in desk.run("schedules").stdout, "nothing is applied by looking"
    assert "simulated" not in desk.json("plan", str(text))
    assert "hint:" in desk.run("plan", str(text), "--simulate", "soon", expect=exit_codes.USAGE).stderr
    assert "hint:" in desk.run("plan", str(text), "--simulate", "9000d", expect=exit_codes.USAGE).stderr


def test_schedules_and_the_next_runs_are_listed(desk: Desk) -> None:
    lines = desk.run("schedules", "--next", "2").stdout.splitlines()
    assert lines[0].split() == ["NEXT", "RUN", "DATASET", "OPERATIONS"]
    assert [line.split()[-1] for line in lines[1:]] == ["backup"] * 2
    runs = desk.json("schedules", "--next", "9")["runs"]
    assert len(runs) == 9
    assert {run["dataset"] for run in runs} == {"desk/data"}
    assert desk.run("schedules", "--next", "0").stdout == ""
    before = desk.folder / "before.yaml"
    before.write_text(desk.run("export").stdout)
    text = desk.folder / "scheduled.yaml"
    text.write_text(before.read_text() + "schedules: {nights: {windows: ['22:00-06:00'], exclude: ['last sun'], at: ['day last 23:30']}}\n")
    desk.run("apply", str(text))
    try:
        row = next(line for line in desk.run("schedules").stdout.splitlines() if line.startswith("nights"))
        for word in ("22:00-06:00", "last sun", "day last 23:30", "UTC", "nothing"):
            assert word in row
    finally:
        desk.run("apply", str(before), "--yes")


def test_a_repository_tells_its_sizes_and_its_last_check_also_without_the_master(desk: Desk) -> None:
    desk.run("repository", "check", "main", "--read-data")
    by_master = desk.json("repository", "stats", "main")
    assert (by_master["checked_ok"], by_master["checked_data"]) == (True, True)
    said = desk.run("repository", "stats", "main").stdout
    assert "every byte read" in said
    assert "compression" in said
    assert re.search(r"^room: +[0-9.]+ GiB of [0-9.]+ [GTP]iB are free", said, re.MULTILINE)
    listed = desk.json("repository", "ls")
    assert [(each["name"], each["error"]) for each in listed["repositories"]] == [("main", None)]
    assert re.search(rf"^main +\S+ +ok +{by_master['points']} ", desk.run("repository", "ls").stdout, re.MULTILINE)
    session = desk.home / "client.json"
    session.rename(desk.home / "away.json")
    try:
        assert [each["name"] for each in desk.json("repository", "ls")["repositories"]] == ["main"]
        by_agent = desk.json("repository", "stats", "main")
        # Others write to the disk meanwhile.
        rooms = [by_master.pop("room"), by_agent.pop("room")]
        assert rooms[0].keys() == rooms[1].keys()
        assert by_agent == by_master
    finally:
        (desk.home / "away.json").rename(session)


def test_open_join_tokens_are_listed_and_cancelled(desk: Desk) -> None:
    made = desk.json("master", "token", "--name", "other", "--ttl", "5m", "--hold")
    row = next(line for line in desk.run("master", "tokens").stdout.splitlines() if made["id"] in line)
    assert row.split()[1] == "other"
    assert row.endswith("hold")
    desk.run("master", "tokens", "--cancel", made["id"])
    assert made["id"] not in desk.run("master", "tokens").stdout
    assert "hint:" in desk.run("master", "tokens", "--cancel", made["id"], expect=exit_codes.USAGE).stderr


def test_a_failed_job_is_tried_again_by_name_and_what_cannot_be_is_refused(desk: Desk) -> None:
    away = desk.folder / "away"
    desk.data.rename(away)
    try:
        desk.run("trigger", "protect-data", "--wait", expect=exit_codes.FAILED)
        back = desk.run("restore", "--dataset", "desk/data", "--before-deletion", str(desk.data), "--to", "refused")
        assert "the source is refused: " in back.stderr
        assert (desk.folder / "refused" / str(desk.data)[1:] / "letter.txt").read_text() == "dear"
    finally:
        away.rename(desk.data)
    failed = desk.json("jobs", "--rule", "desk/data")[0]
    assert (failed["state"], failed["error"]["code"]) == ("failed", "source-vanished")
    asked = desk.json("jobs", "retry", failed["id"][:12])
    assert asked["asked"] == "retry"
    assert asked["job"] != failed["id"]
    eventually(lambda: desk.json("jobs", asked["job"])["state"] == "succeeded", "it ran again, and well")
    again = desk.run("jobs", "retry", asked["job"]).stdout
    assert "what it was about runs again" in again
    eventually(lambda: desk.json("jobs", again.split(":")[0])["state"] == "succeeded", "what went well is run again, too")
    desk.run("repository", "check", "main")
    check = next(job["id"] for job in desk.json("jobs") if job["kind"] == "check")
    still = desk.run("restore", "--dataset", "desk/data", "--before-deletion", str(desk.data), "--to", "back", expect=exit_codes.USAGE)
    assert "is still there in the newest state kept, of 20" in still.stderr
    assert "is not tried again as it was" in desk.run("jobs", "retry", check, expect=exit_codes.USAGE).stderr
    assert "hint:" in desk.run("jobs", "retry", "ffff", expect=exit_codes.USAGE).stderr


def test_a_session_of_the_log_is_a_line_across_and_all_lines_are_of_one(desk: Desk) -> None:
    begun = {line["node_name"] or "Master": line for line in desk.json("logs", "--code", "session-began")}
    assert begun.keys() == {"Master", "desk"}
    assert begun["desk"]["facts"]["before"] == "first"
    session = begun["desk"]["session"]
    of_it = desk.json("logs", "--session", session[:8].upper())
    assert of_it[0] == begun["desk"]
    assert {line["session"] for line in of_it} == {session}
    assert len(of_it) > 1
    assert "  ---- desk: the agent began session " in desk.run("logs", "--session", session[:8]).stdout
    written = [json.loads(line) for line in (desk.home / "log" / "store.log").read_text().splitlines()]
    assert {line["session"] for line in written} <= {session}
    assert "hint:" in desk.run("logs", "--session", "xyz", expect=exit_codes.USAGE).stderr


def test_a_tag_of_the_log_that_no_rules_bear_is_refused(desk: Desk) -> None:
    assert "no rules in force bear a tag 'nobody'" in desk.run("logs", "--tag", "nobody", expect=exit_codes.USAGE).stderr


def test_a_renamed_machine_finds_its_points_under_the_new_name(desk: Desk) -> None:
    point = desk.point()
    assert "would be called" in desk.run("nodes", "rename", "desk", "bureau", "--dry-run").stdout
    desk.run("nodes", "rename", "desk", "bureau")
    try:
        _until_named(desk, "bureau/data")
        assert point in [each["id"] for each in desk.json("points", "--dataset", "bureau/data")]
        assert "did you mean `bureau/data`?" in desk.run("points", "--dataset", "desk/data", expect=exit_codes.USAGE).stderr
        assert "[bureau/data in main" in desk.run("find", "letter.txt").stdout
        assert "desk/data" in {job["rule"] for job in desk.json("jobs", "--rule", "bureau/data")}
        assert "HOME/keys/main" in desk.run("nodes", "move", "bureau", "--dry-run").stdout
    finally:
        desk.run("nodes", "rename", "bureau", "desk")
        _until_named(desk, "desk/data")


def _until_named(desk: Desk, label: str) -> None:
    """The rules go out a moment after the rename."""
    eventually(lambda: label in {point["dataset"] for point in desk.json("points")}, f"points are found as {label}")


def test_restore_says_what_was_written_and_what_was_equal(desk: Desk) -> None:
    point, letter = desk.point(), desk.data / "letter.txt"
    back = desk.folder / "back"
    written = desk.run("restore", point, str(letter), "--to", "back")
    first, reads, undo = written.stdout.splitlines()
    assert first == f"below {back}: 1 file (4 B) written"
    assert reads == "reads main on desk: it is on this machine"
    assert "holdfast restore undo" in undo
    assert (back / str(letter)[1:]).read_text() == "dear"
    assert "1 equal already" in desk.run("restore", point[:6], str(letter), "--to", str(back)).stdout
    (back / str(letter)[1:]).write_text("changed")
    assert "1 file (4 B) would be written" in desk.run("restore", "--dataset", "desk/data", "--to", "back", "--dry-run").stdout
    assert (back / str(letter)[1:]).read_text() == "changed"


def test_restore_of_a_path_that_is_not_in_the_point(desk: Desk) -> None:
    assert "is not in this point" in desk.run("restore", desk.point(), "/not/there", "--to", "back", expect=exit_codes.USAGE).stderr
    assert "is not in this point" in desk.run("ls", desk.point(), "/not/there", expect=exit_codes.USAGE).stderr


def test_restore_into_the_home_is_refused(desk: Desk) -> None:
    assert "[outside-limits]" in desk.run("restore", desk.point(), "--to", str(desk.home / "x"), expect=exit_codes.REFUSED).stderr


def test_restore_before_the_first_point(desk: Desk) -> None:
    refused = desk.run("restore", "--dataset", "desk/data", "--at", "1y ago", "--to", "back", expect=exit_codes.USAGE)
    assert re.search(r"at or before \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[", refused.stderr), "in the time of this machine, as all others"
    never = desk.run("restore", "--dataset", "desk/data", "--before-deletion", "/nothing", "--to", "back", expect=exit_codes.USAGE)
    assert "no state of 'desk/data' that has /nothing" in never.stderr


def test_without_a_time_the_newest_is_restored_though_it_is_of_a_clock_that_was_ahead(new_desk: Desk) -> None:
    """It took the newest by this machine's clock, and said nothing of what is newer."""
    env = new_desk.json("repository", "env", "main")
    command = ("backup", str(new_desk.data), "--host", "ahead", "--time", "2038-01-01 00:00:00")
    restic(env["RESTIC_REPOSITORY"], env["RESTIC_PASSWORD"], new_desk.folder, *command)
    (foreign,) = [point["dataset"] for point in new_desk.json("points") if point["operation"] == "foreign"]
    new_desk.run("restore", "--dataset", foreign, "--to", str(new_desk.folder / "back"), "--node", "desk")
    assert (new_desk.folder / "back" / str(new_desk.data / "letter.txt")[1:]).read_text() == "dear"
    new_desk.run("download", "--dataset", foreign, str(new_desk.data / "letter.txt"), "--output", "letter")
    assert (new_desk.folder / "letter").read_text() == "dear"


def test_a_repair_that_could_not_look_does_not_say_that_there_is_nothing_to_do(new_desk: Desk) -> None:
    assert "main: nothing to do" in new_desk.run("repository", "repair", "main").stdout
    new_desk.run("repository", "pause", "main")
    assert new_desk.run("repository", "repair", "main", expect=11).stdout == "main: failed\n"


def test_a_lock_until_a_time_that_has_passed_is_refused(desk: Desk) -> None:
    desk.run("points", "lock", desk.point(), "--until", "1h ago", "--yes", expect=exit_codes.USAGE)


def test_protecting_what_is_not_there_is_refused(desk: Desk) -> None:
    before = desk.run("export").stdout
    assert "does not exist on this machine" in desk.run("protect", "nothing", "--to", "store", expect=exit_codes.USAGE).stderr
    assert desk.run("export").stdout == before


def test_a_document_that_removes_something_needs_a_word(desk: Desk) -> None:
    text = desk.run("export").stdout
    less = desk.folder / "less.yaml"
    less.write_text("environment: desk\nnodes: {desk: {}}\n")
    for words in (["apply", str(less)], ["apply", str(less), "--json"]):
        refused = desk.run(*words, expect=exit_codes.REFUSED)
        assert "flow protect-data" in refused.stderr
    assert desk.json("apply", str(less), expect=exit_codes.REFUSED)["error"]["code"] == "refused"
    assert "--yes" in desk.run("plan", str(less)).stderr
    assert desk.run("export").stdout == text


def test_two_files_from_one_revision_are_joined(desk: Desk) -> None:
    old = desk.json("export")
    mine, theirs = desk.folder / "mine.yaml", desk.folder / "theirs.yaml"
    theirs.write_text(old["text"].replace("every: 30d", "every: 29d"))
    mine.write_text(old["text"] + "# mine\ngroups: {all: {nodes: [desk]}}\n")
    desk.run("apply", str(theirs), "--base", str(old["revision"]))
    stale = ("--base", str(old["revision"]))
    try:
        refused = desk.run("apply", str(mine), *stale, expect=exit_codes.REFUSED)
        assert "by now; this was made from" in refused.stderr
        assert "--base" in desk.run("apply", str(mine), "--merge", expect=exit_codes.USAGE).stderr
        desk.run("apply", str(mine), *stale, "--merge")
        assert desk.run("export").stdout == theirs.read_text() + "# mine\ngroups: {all: {nodes: [desk]}}\n"
        mine.write_text(old["text"].replace("every: 30d", "every: 28d"))
        torn = desk.run("apply", str(mine), *stale, "--merge", expect=exit_codes.REFUSED)
        assert "conflict: policies.data.operations.backup.every" in torn.stderr
        assert '  your file: "28d"' in torn.stderr
        assert [each["theirs"] for each in desk.json("apply", str(mine), *stale, "--merge", expect=5)["conflicts"]] == ["29d"]
    finally:
        theirs.write_text(old["text"])
        desk.run("apply", str(theirs), "--yes")


def test_a_file_is_compiled_before_it_is_applied(desk: Desk) -> None:
    text = desk.folder / "later.yaml"
    text.write_text(desk.run("export").stdout.replace("hourly: 24", "hourly: 5"))
    (change,) = desk.json("compile", "protect-data", "--file", str(text))["changes"]
    assert change["changes"] == ["stores desk/data in repository main"]
    text.write_text("flows: [")
    assert "yaml-syntax" in desk.run("compile", "protect-data", "--file", str(text), expect=exit_codes.USAGE).stderr


def test_a_flow_that_left_the_document_is_said_to_be_still_active(desk: Desk) -> None:
    text = desk.folder / "whole.yaml"
    text.write_text(desk.run("export").stdout)
    less = desk.folder / "no-flow.yaml"
    less.write_text("environment: desk\nnodes: {desk: {}}\n")
    desk.run("apply", str(less), "--yes")
    try:
        assert "`holdfast deactivate protect-data` ends it" in desk.run("status").stderr
        assert desk.json("status")["flows"][0]["state"] == "removed"
    finally:
        desk.run("apply", str(text), "--yes")
    assert "changed, not active" not in desk.run("status").stderr


def test_a_new_repository_never_gets_the_name_of_an_old_one(desk: Desk) -> None:
    """A name stands for a key and a catalog on the owner, also when the document has forgotten it."""
    whole = desk.folder / "whole.yaml"
    whole.write_text(desk.run("export").stdout)
    other = desk.folder / "other"
    other.mkdir()
    (other / "file").write_text("x")
    first = desk.json("protect", "other", "--to", "store-2")["repository"]
    desk.run("apply", str(whole), "--yes")
    desk.run("deactivate", "protect-other")
    second = desk.json("protect", "other", "--to", "store-3")["repository"]
    assert first != second
    desk.run("trigger", "protect-other", "--wait")
    desk.run("apply", str(whole), "--yes")
    desk.run("deactivate", "protect-other")
    assert desk.json("protect", "other", "--to", "store-2")["repository"] == first
    # The other tests of this desk find it as it was.
    desk.run("apply", str(whole), "--yes")
    desk.run("deactivate", "protect-other")


def test_a_document_with_errors_is_2_and_changes_nothing(desk: Desk) -> None:
    bad = desk.folder / "bad.yaml"
    bad.write_text("environment: desk\nnodez: {}\n")
    assert "did you mean `nodes`?" in desk.run("plan", str(bad), expect=exit_codes.USAGE).stderr
    done = desk.run("apply", str(bad), "--json", expect=exit_codes.USAGE)
    assert json.loads(done.stdout)["valid"] is False
    assert "nothing changes" not in desk.run("plan", str(bad), expect=exit_codes.USAGE).stdout


def test_plan_and_apply_show_what_keeps_flows_from_being_activated(desk: Desk) -> None:
    whole, text = desk.folder / "whole.yaml", desk.folder / "broken flow.yaml"
    whole.write_text(desk.run("export").stdout)
    flow = "vertices: {a: {node: nope}}, movers: [{from: a, to: b, carries: [q/z]}]"
    text.write_text(whole.read_text().replace("\nflows:\n", f"\nflows:\n  wrong: {{{flow}}}\n"))
    planned = desk.run("plan", str(text))
    assert "+ flow wrong" in planned.stdout
    assert "warning: flow `wrong`: there is no node `nope` [unknown-node] at flows.wrong.vertices.a.node, line " in planned.stderr
    assert "  hint: add it under `nodes:`" in planned.stderr
    assert f"activating flow `wrong` would be refused; of one flow: holdfast compile FLOW --file '{text}'" in planned.stderr
    assert desk.run("plan", str(text), "--simulate", "1d").stderr.count("[unknown-node]") == 1, "what both say is said once"
    applied = desk.json("apply", str(text))
    assert {each["error"]["code"] for each in applied["flow_errors"]} >= {"unknown-node", "unknown-vertex"}
    assert applied["untried_flows"] == []
    assert "warning: flow `wrong`: there is no node `nope`" in desk.run("apply", str(text)).stderr
    # The other tests of this desk find it as it was.
    desk.run("apply", str(whole), "--yes")


def test_login_needs_the_right_fingerprint_and_password(desk: Desk) -> None:
    url = json.loads((desk.home / "client.json").read_text())["url"]
    elsewhere = ("--home", str(desk.folder / "elsewhere"))
    asked = desk.run("login", url, *elsewhere, expect=exit_codes.USAGE)
    fingerprint = asked.stderr.split("fingerprint ")[1].split()[0]
    desk.run("login", url, "--fingerprint", "abc", *elsewhere, expect=exit_codes.REFUSED)
    secret = desk.folder / "secret"
    desk.run("login", url, "--fingerprint", fingerprint, "--password-file", str(secret), *elsewhere, expect=exit_codes.USAGE)
    secret.write_text("wrong\n")
    for spelled in (fingerprint, ":".join(fingerprint[n : n + 2].upper() for n in range(0, 64, 2))):
        refused = desk.run("login", url, "--fingerprint", spelled, "--password-file", str(secret), *elsewhere, expect=exit_codes.REFUSED)
        assert "user or password is wrong" in refused.stderr


def test_a_token_is_not_spent_on_what_cannot_work(desk: Desk) -> None:
    url = json.loads((desk.home / "client.json").read_text())["url"]
    token = desk.run("master", "token", "--name", "files1").stdout.strip()
    join = ("node", "join", url, "--token", token, "--name", "files1")
    home = ("--home", str(desk.folder / "files1"))
    desk.run(*join, *home, "--listen", "127.0.0.1:data", expect=exit_codes.USAGE)
    desk.run(*join, *home, "--read", "srv", expect=exit_codes.USAGE)
    desk.run(*join, "--home", "/proc/files1", expect=exit_codes.FAILED)
    desk.run(*join, *home, "--listen", f"127.0.0.1:{first_of_a_row()}", "--read", "/srv")
    assert 'read = ["/srv"]' in (desk.folder / "files1" / "limits.toml").read_text()


def test_up_keeps_to_the_port_it_was_set_up_for(desk: Desk) -> None:
    assert "already running" in desk.run("up", "--detach").stdout


def test_a_link_into_the_console_works_once(desk: Desk) -> None:
    link = desk.run("console")
    assert re.fullmatch(r"https://127\.0\.0\.1:\d+/#signin=[a-z2-7]{52}\n", link.stdout)
    assert "once" in link.stderr
    assert set(desk.json("console")) == {"code", "url", "expires_at"}
    shown = desk.run("up", "--detach", "--name", "desk").stdout
    assert "already running" in shown
    assert "#signin=" in shown
    log = desk.home / "log" / "up.log"
    assert "#signin=" not in log.read_text(), "a link that signs in belongs in no log"


def test_a_new_password_is_set_on_the_masters_machine(desk: Desk) -> None:
    new = desk.folder / "password"
    new.write_text("correct horse battery staple\n")
    assert "admin has a new password" in desk.run("master", "password", "--password-file", str(new)).stdout
    desk.run("master", "password", "--user", "nobody", "--password-file", str(new), expect=exit_codes.USAGE)
    desk.run("master", "password", "--home", str(desk.folder / "nothing"), "--password-file", str(new), expect=exit_codes.USAGE)
    new.write_text("short")
    desk.run("master", "password", "--password-file", str(new), expect=exit_codes.USAGE)
    desk.run("master", "password", expect=exit_codes.USAGE)


def test_the_audit_log_is_taken_away_and_verified_without_the_master(desk: Desk) -> None:
    desk.run("find", "*.secret")
    newest = desk.json("audit", "ls", "--activity", "search", "--limit", "1")[0]
    assert (newest["phase"], newest["user"]) == ("looked", "admin")
    assert "*.secret" in newest["arguments"]
    desk.run("trigger", "protect-data", "--wait")
    assert "witnesses: desk (" in desk.run("audit", "verify").stdout
    export = desk.folder / "audit.jsonl"
    written = desk.json("audit", "export", "-o", str(export))["records"]
    kept = desk.folder / "desk.json"
    kept.write_text(desk.run("audit", "anchors", "--json").stdout)
    assert json.loads(kept.read_text())
    assert desk.json("audit", "verify", str(export), "--anchors", str(kept)) == {
        "records": written,
        "findings": [],
        "witnesses": {"desk.json": len(json.loads(kept.read_text()))},
    }
    assert "is there already" in desk.run("audit", "export", "-o", str(export), expect=exit_codes.USAGE).stderr
    edited = export.read_text().replace("*.secret", "*.public")
    export.write_text(edited)
    assert "audit-edited" in desk.run("audit", "verify", str(export), expect=exit_codes.FAILED).stdout
