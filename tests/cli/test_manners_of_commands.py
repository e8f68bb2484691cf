"""What every command does alike: exit codes, one JSON value, errors with a hint and never a traceback. No Master is asked here."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer import Context
from typer.main import get_command

from holdfast.cli import exit_codes, main
from holdfast.cli.client import path_of
from holdfast.cli.commands.monitor import print_strip
from holdfast.cli.home import Session, load_session, resolve_home, save_session
from holdfast.cli.output import age, print_diagnostics, print_table
from holdfast.cli.processes import free_ports
from holdfast.cli.program import app
from holdfast.cli.root import MODULES, new_program, register
from holdfast.cli.sections import SECTIONS
from holdfast.cli.setup import master_url
from holdfast.cli.waiting import progress_text
from holdfast.core.clock import SystemClock
from holdfast.core.errors import NotAuthenticated, UnknownName, UsageError
from holdfast.wire.authority import Authority

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LONG_OPTIONS = ("--token", "hf1.a.b", "--name", "files1")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Run]:
    """The command as typed, in this process, with a home that does not exist yet."""
    umask = os.umask(0o022)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))

    def typed(*words: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["holdfast", *words])
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Outcome(int(ended.value.code or 0), said.out, said.err)

    yield typed
    # A command makes all it leaves private; the tests after it are other programs.
    os.umask(umask)


@pytest.fixture
def session_of_nobody(tmp_path: Path) -> str:
    """A session with a Master that does not run; its address."""
    url = f"https://127.0.0.1:{free_ports(1)[0]}"
    save_session(tmp_path / "home", Session(url=url, ca_pem=_some_ca(), token="t"))
    return url


def _some_ca() -> str:
    return Authority.create(clock=SystemClock()).ca_pem.decode()


@pytest.mark.parametrize(
    "words", [["status"], ["jobs"], ["export"], ["trigger", "office"], ["protect", "/srv", "--to", "/mnt"], ["compile", "x"]]
)
def test_without_a_session_it_says_how_to_log_in(run: Run, words: list[str]) -> None:
    outcome = run(*words)
    assert outcome.code == exit_codes.REFUSED
    assert "not logged in" in outcome.err
    assert "hint: " in outcome.err
    assert outcome.out == ""


def test_an_error_is_one_json_value_too(run: Run) -> None:
    outcome = run("points", "--json")
    assert json.loads(outcome.out)["error"]["code"] == "not-authenticated"
    assert "hint: " in outcome.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["jobs", "--limit", "x", "--json"], "--limit"),
        (["diff", "abcd", "--json"], "B"),
        (["statsu", "--json"], "status"),
        (["points", "--nosuch", "--json"], "--nosuch"),
    ],
)
def test_what_the_parser_does_not_understand_is_one_json_value_too(run: Run, words: list[str], says: str) -> None:
    outcome = run(*words)
    assert outcome.code == exit_codes.USAGE
    error = json.loads(outcome.out)["error"]
    assert error["code"] == "usage"
    assert says in error["message"]
    assert says in outcome.err


@pytest.mark.parametrize("words", [["status"], ["points"], ["ls", "abcd"], ["find", "x"], ["restore", "abcd", "--to", "/x"], ["nodes"]])
def test_a_master_that_does_not_answer_is_4(run: Run, session_of_nobody: str, words: list[str]) -> None:
    outcome = run(*words)
    assert outcome.code == exit_codes.NOT_REACHABLE
    assert session_of_nobody in outcome.err


def test_a_misspelled_command_is_2_and_the_right_one_named(run: Run) -> None:
    outcome = run("statsu")
    assert outcome.code == exit_codes.USAGE
    assert "status" in outcome.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["restore"], "name either a point or --dataset"),
        (["restore", "abcd", "--dataset", "a/b", "--to", "x"], "name either"),
        (["restore", "/srv", "--to", "x"], "name either"),
        (["restore", "abcd"], "--to is missing"),
        (["restore", "abcd", "letter.txt", "--to", "x"], "letter.txt is not an absolute path"),
        (["restore", "--dataset", "a/b", "letter.txt", "--to", "x"], "name either"),
        (["restore", "--dataset", "a/b", "/srv", "letter.txt", "--to", "x"], "letter.txt is not an absolute path"),
        (["restore", "abcd", "--to", "x", "--conflict", "skop"], "skip, overwrite, rename"),
        (["restore", "abcd", "--to", "x", "--limit", "5"], "not a rate"),
        (["restore", "--dataset", "a/b", "--at", "yesterday", "--to", "x"], "not a time"),
        (["ls", ""], "which point?"),
        (["ls", "abcd", "srv"], "srv is not an absolute path"),
        (["find", ""], "find what?"),
        (["find", "--versions"], "find what?"),
        (["find", "x", "--versions", "--size", "1"], "--versions goes with a glob alone"),
        (["find", "a(", "--regex"], "cannot be read at character 2"),
        (["find", "a", "--regex", "--part"], "either a part or a regular expression"),
        (["find", "--deleted", "--existing"], "nothing is deleted and existing"),
        (["find", "--size", "large"], "not a size"),
        (["find", "--under", "srv"], "srv is not an absolute path"),
        (["compile", "a/b"], "not the name of one of the flows"),
        (["node", "join", "http://m:7440", *LONG_OPTIONS], "not the address of a Master"),
        (["node", "join", "m", *LONG_OPTIONS, "--listen", "0.0.0.0:data"], "--listen '0.0.0.0:data' is not HOST:PORT"),
        (["node", "join", "m", *LONG_OPTIONS, "--address", "m"], "--address 'm' is not HOST:PORT"),
        (["node", "join", "m", *LONG_OPTIONS, "--read", "srv"], "--read 'srv' is not an absolute path"),
        (["node", "join", "m", *LONG_OPTIONS], "not a join token"),
        (["node", "run"], "has not joined"),
        (["master", "run"], "holds no Master"),
        (["login", "http://m"], "not the address of a Master"),
        (["up", "--port", "x"], "--port"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(run: Run, session_of_nobody: str, words: list[str], says: str) -> None:
    outcome = run(*words)
    assert outcome.code == exit_codes.USAGE
    assert says in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(("content", "says"), [(None, "No such file"), (b"\xff\xfe\x00", "not UTF-8")])
def test_a_document_that_cannot_be_read(run: Run, session_of_nobody: str, tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "environment.yaml"
    if content is not None:
        file.write_bytes(content)
    for command in ("plan", "apply"):
        outcome = run(command, str(file))
        assert outcome.code == exit_codes.USAGE
        assert says in outcome.err


def test_a_folder_is_no_document(run: Run, session_of_nobody: str, tmp_path: Path) -> None:
    assert "Is a directory" in run("plan", str(tmp_path)).err


@pytest.mark.parametrize("words", [["up", "--detach"], ["master", "init"], ["node", "join", "m", *LONG_OPTIONS]])
def test_a_home_that_cannot_be_made(run: Run, words: list[str]) -> None:
    outcome = run(*words, "--home", "/proc/holdfast")
    assert outcome.code == exit_codes.FAILED
    assert "/proc/holdfast" in outcome.err
    assert "hint: " in outcome.err


def test_a_port_that_is_taken(run: Run, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = run("up", "--detach", "--port", str(min(port, 65_532)), "--home", str(tmp_path / "other"))
    assert outcome.code == exit_codes.REFUSED
    assert "is taken" in outcome.err


def test_nothing_to_stop_is_no_failure(run: Run) -> None:
    outcome = run("down")
    assert (outcome.code, outcome.out) == (0, "nothing was running\n")


def test_a_full_disk_below_the_output_is_said_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast.cli.main", "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == exit_codes.FAILED
    assert done.stderr.startswith("holdfast: a disk is full: ")
    assert "[no-space]" in done.stderr


def test_a_reader_that_has_enough_is_no_traceback() -> None:
    done = subprocess.run(["sh", "-c", f"{sys.executable} -m holdfast.cli.main --help | :"], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_home_is_the_option_then_the_variable_then_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOLDFAST_HOME", "/of/variable")
    assert resolve_home(tmp_path) == tmp_path
    assert resolve_home(None) == Path("/of/variable")
    monkeypatch.setenv("HOLDFAST_HOME", "")
    assert resolve_home(None).name == "holdfast"


def test_a_session_is_private_and_a_broken_one_is_said_to_be(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    save_session(home, Session(url="https://m:7440", ca_pem="pem", token="t"))
    assert load_session(home).token == "t"
    assert (home / "client.json").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    (home / "client.json").write_text("{")
    with pytest.raises(UsageError, match="not a session file"):
        load_session(home)
    with pytest.raises(NotAuthenticated):
        load_session(tmp_path)


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        ("master.example.net", "https://master.example.net:7440"),
        ("10.0.0.1:8000", "https://10.0.0.1:8000"),
        ("https://m/", "https://m:7440"),
        ("[fd00::1]:7440", "https://[fd00::1]:7440"),
    ],
)
def test_an_address_of_a_master_as_people_write_it(typed: str, full: str) -> None:
    assert master_url(typed) == full


@pytest.mark.parametrize("typed", ["http://m", "ftp://m", "https://", "m:port", "m:99999", "https://[::1"])
def test_what_is_no_address_of_a_master(typed: str) -> None:
    with pytest.raises(UsageError):
        master_url(typed)


def test_names_go_into_paths_whole() -> None:
    assert path_of("flows", "a b%", "compile") == "/flows/a%20b%25/compile"
    for name in ("", ".", "..", "a/b"):
        with pytest.raises(UnknownName):
            path_of("flows", name)


@pytest.mark.parametrize(
    ("job", "code"),
    [
        ({"state": "succeeded"}, 0),
        ({"state": "warnings"}, 3),
        ({"state": "cancelled"}, 130),
        ({"state": "failed"}, 1),
        ({"state": "failed", "error": {"code": "no-space"}}, 1),
        ({"state": "failed", "error": {"code": "unknown-name"}}, 2),
        ({"state": "failed", "error": {"code": "not-reachable"}}, 4),
        ({"state": "failed", "error": {"code": "outside-limits"}}, 5),
        ({"state": "failed", "error": {"code": "repository-missing"}}, 10),
        ({"state": "failed", "error": {"code": "repository-locked"}}, 11),
        ({"state": "failed", "error": {"code": "wrong-password"}}, 12),
    ],
)
def test_a_job_that_was_waited_for_exits_by_its_reason(job: dict[str, object], code: int) -> None:
    assert exit_codes.exit_code_of_job(job) == code


@pytest.mark.parametrize(
    ("passed_s", "words"), [(0.4, "just now"), (-3, "just now"), (5.9, "5s ago"), (75, "1m15s ago"), (90_000, "1d1h ago")]
)
def test_ages_are_in_whole_units(passed_s: float, words: str) -> None:
    assert age((NOW - timedelta(seconds=passed_s)).isoformat(), NOW) == words


def test_never_is_said_so() -> None:
    assert age(None, NOW) == "never"


def test_tables_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "SIZE"), [("a", 5), ("longer", 12345)], right=frozenset({1}))
    assert capsys.readouterr().out == "NAME     SIZE\na           5\nlonger  12345\n"


def test_a_diagnostic_names_what_place_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"level": "error", "message": "m", "code": "c", "hint": "h"}
    print_diagnostics(
        [{**facts, "where": {"path": "flows.x", "line": 3}}, {**facts, "where": {"path": "", "line": 3}}, {**facts, "where": {}}]
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines[::2] == ["error: m [c] at flows.x, line 3", "error: m [c] at line 3", "error: m [c]"]
    assert lines[1::2] == ["  hint: h"] * 3


def test_progress_has_rate_and_time_left() -> None:
    jobs = [{"id": "1", "rule": "a/b", "state": "running"}, {"id": "2", "rule": "c/d", "state": "succeeded"}]
    figures = [{"job": "1", "phase": "sending", "done_files": 3, "done_bytes": 1024, "total_bytes": 3072, "rate_bytes_s": 1024.0}]
    assert progress_text(jobs, figures) == "a/b: sending, 3 files, 1.0 KiB of 3.0 KiB, 1.0 KiB/s, 2.0s left"
    assert progress_text([{"id": "1", "rule": "a/b", "state": "queued"}], []) == "a/b: queued"
    assert progress_text([], []) == ""


def test_a_strip_has_a_character_for_each_day_and_says_what_they_mean(capsys: pytest.CaptureFixture[str]) -> None:
    states = ("ok", "warning", "failed", "overdue", "gap", "none")
    days = [{"date": f"2026-01-0{number}", "state": state} for number, state in enumerate(states, 1)]
    rows = [{"dataset": "files1/documents", "days": days}, {"dataset": "a/\x1b[31m", "days": days[::-1]}]
    print_strip({"zone": "UTC", "datasets": rows})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "files1/documents  =wFO-."
    assert lines[1].endswith(".-OFw=")
    assert "\x1b" not in lines[1]
    assert lines[3] == "2026-01-01 to 2026-01-06 (UTC): = ok, w warning, F failed, O overdue, - gap, . none"
    print_strip({"zone": "UTC", "datasets": []})
    assert capsys.readouterr().out == "Nothing is protected yet.\n"


def test_help_loads_nothing_heavy() -> None:
    """What makes commands start slowly is loaded by those that need it; the time itself is measured in `tests/e2e/test_up.py`."""
    heavy = {"cryptography", "fastapi", "grpc", "msgspec", "ruamel", "sqlalchemy", "ssl", "zstandard"}
    listing = "import holdfast.cli.program, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stdout.split())


def test_of_the_program_only_what_is_called_is_built() -> None:
    whole = get_command(app)
    for name, command in whole.commands.items():
        part = get_command(main.part_for((name, "--help")))
        assert list(part.commands) == [name]
        assert [option.name for option in part.commands[name].params] == [option.name for option in command.params]
        assert list(getattr(part.commands[name], "commands", ())) == list(getattr(command, "commands", ()))
    for words in (("--version",), ("statsu",)):
        assert main.part_for(words) is app
    for words in ((), ("--help",)):
        listed = get_command(main.part_for(words))
        assert listed.get_help(Context(listed)) == whole.get_help(Context(whole))


def test_a_command_that_is_called_is_loaded_without_the_others() -> None:
    calling = "from holdfast.cli.main import part_for; part_for(('status', '--json'))"
    done = subprocess.run([sys.executable, "-c", f"{calling}; import sys; print(*sys.modules)"], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "holdfast.cli.commands.look" in loaded
    assert loaded.isdisjoint({"holdfast.cli.program", "holdfast.cli.commands.cluster", "holdfast.cli.commands.environment"})
    for module, names in MODULES.items():
        program = new_program()
        register(module, program)
        assert tuple(get_command(program).commands) == names


def test_each_command_is_in_one_section_of_the_help() -> None:
    whole = get_command(app)
    named = [name for _, names in SECTIONS for name in names]
    assert sorted(named) == sorted(whole.commands)
    shown = whole.get_help(Context(whole, terminal_width=80))
    titles = [line.rstrip(":") for line in shown.splitlines() if line.endswith(":") and not line.startswith((" ", "Options"))]
    assert titles == [title for title, _ in SECTIONS]
    assert not any(line.startswith("  ") and line.endswith("...") for line in shown.splitlines()), (
        "what is too long ends where it makes sense"
    )
    assert max(map(len, shown.splitlines())) <= 80


def test_the_help_of_a_group_cuts_no_sentence_off() -> None:
    whole = get_command(app)
    for name, group in whole.commands.items():
        if hasattr(group, "commands"):
            shown = group.get_help(Context(group, info_name=name, terminal_width=80))
            assert not any(line.endswith("...") for line in shown.partition("Commands:")[2].splitlines()), name


def test_a_shell_that_completes_is_told_of_options_and_of_commands_of_groups() -> None:
    for typed, expected in (("holdfast repository che", "check"), ("holdfast hist", "history"), ("holdfast restore --dry", "--dry-run")):
        asked = {"_HOLDFAST_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
        program = str(Path(sys.executable).with_name("holdfast"))
        done = subprocess.run([program], env={**os.environ, **asked}, capture_output=True, text=True, check=True)
        assert expected in done.stdout.split()
