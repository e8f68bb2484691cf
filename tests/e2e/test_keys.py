"""Keys as an administrator uses them: the commands, `status` until a kit is kept, and a machine that is lost with all but store and kit."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient
from holdfast.cli.home import load_session
from holdfast.host.compare import compare_trees
from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.waiting import wait_for
from tests.e2e.world import descendants
from tests.ports import first_of_a_row
from tests.typed import typed

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not StockRestic.is_here(), reason="needs restic")]
CODE = re.compile(r"([0-9A-Z]{5}-){6}[0-9A-Z]{5}")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Desk:
    """One machine with `up`; its data is protected in `store`, which may outlive it."""

    folder: Path
    home: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def run(self, *words: str, expect: int | None = 0, given: str = "") -> subprocess.CompletedProcess[str]:
        done = typed(words, self.home, given=given)
        assert expect is None or done.returncode == expect, f"{words} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *words: str, **options: Any) -> Any:
        return json.loads(self.run(*words, "--json", **options).stdout)

    def up(self) -> None:
        self.run("up", "--detach", "--name", "desk", "--port", str(first_of_a_row()))

    def status(self) -> Any:
        """As the API tells it."""
        return ApiClient(load_session(self.home)).get("/status")

    def kit_warnings(self) -> list[str]:
        return [finding["message"] for finding in self.status()["findings"] if finding["code"] == "kit-missing"]

    def repository(self) -> Any:
        (row,) = self.status()["repositories"]
        return row


def _restic(location: Path, password: str, *words: str) -> str:
    return StockRestic(str(location), password).run(*words)


def _protected(folder: Path) -> Iterator[Desk]:
    desk = Desk(folder, folder / "home")
    (desk.data / "sub").mkdir(parents=True)
    (desk.data / "letter.txt").write_text("dear")
    (desk.data / "sub/large").write_bytes(bytes(range(256)) * 4000)
    desk.up()
    try:
        desk.run("protect", str(desk.data), "--to", str(desk.store), "--every", "30d")
        desk.run("trigger", "protect-data", "--wait")
        yield desk
    finally:
        desk.run("down")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """For tests that leave it as good as they found it: one makes kits, the other none."""
    yield from _protected(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Desk]:
    yield from _protected(tmp_path)


def test_a_kit_is_made_kept_and_printed(desk: Desk) -> None:
    name = desk.repository()["name"]
    (warning,) = desk.kit_warnings()
    assert f"`holdfast repository key kit {name}`" in warning
    # A standing warning, calm: one line, and the exit code is that of "all is well".
    assert desk.run("status").stderr.count("[kit-missing]") == 1
    assert desk.repository()["kit"] == "never"

    shown = desk.run("repository", "key", "kit", name)
    found = CODE.search(shown.stdout)
    assert found is not None
    code = found[0]
    assert f"restic -r {desk.store} --no-lock snapshots" in shown.stdout
    assert "--acknowledge" in shown.stderr
    _restic(desk.store, code, "check", "--no-lock")
    assert desk.repository()["kit"] == "made"
    desk.run("repository", "key", "kit", name, "--acknowledge", given="0A1B2\n", expect=2)
    desk.run("repository", "key", "kit", name, "--acknowledge", given=code[-5:].lower() + "\n")
    assert (desk.kit_warnings(), desk.repository()["kit"]) == ([], "acknowledged")

    page = desk.folder / "kit.html"
    desk.run("repository", "key", "kit", name, "--html", str(page))
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    desk.run("repository", "key", "kit", name, "--html", str(page), expect=5)
    assert "src=" not in page.read_text()
    assert "<svg" in page.read_text()
    assert desk.repository()["kit"] == "acknowledged"
    _assert_nowhere(desk, (code, code[:-6]))


def test_passwords_are_added_removed_and_rotated(desk: Desk) -> None:
    name = desk.repository()["name"]
    secret = desk.folder / "password"
    secret.write_text("correct horse battery\n")
    added = desk.json("repository", "key", "add", name, "--password-file", str(secret), "--user", "anna")["slot"]
    desk.run("repository", "key", "add", name, given="a second password\n")
    for password in ("correct horse battery", "a second password"):
        _restic(desk.store, password, "snapshots")
    desk.run("repository", "key", "add", name, given="short\n", expect=2)
    rows = desk.json("repository", "key", "ls", name)["slots"]
    assert [row["in_use"] for row in rows].count(True) == 1
    assert "anna" in [row["username"] for row in rows]

    assert "would be removed" in desk.run("repository", "key", "remove", name, added["id"][:8], "--dry-run").stdout
    assert "--yes" in desk.run("repository", "key", "remove", name, added["id"][:8], expect=5).stderr
    _restic(desk.store, "correct horse battery", "snapshots")
    desk.run("repository", "key", "remove", name, added["id"][:8], "--yes")
    own = next(row["id"] for row in rows if row["in_use"])
    desk.run("repository", "key", "remove", name, own, "--yes", expect=5)

    before = (desk.home / "keys" / name).read_text().strip()
    desk.run("repository", "key", "rotate", name)
    with pytest.raises(AssertionError):
        _restic(desk.store, before, "snapshots")
    desk.run("trigger", "protect-data", "--wait")
    desk.run("repository", "key", "list", "nosuch", expect=2)

    told = wait_for(lambda: [e["message"] for e in desk.json("logs") if e["code"] == "keys-changed"], 60, again_s=0.3)
    assert any("was rotated" in message for message in told)
    _assert_nowhere(desk, ("correct horse battery", "a second password", before, (desk.home / "keys" / name).read_text().strip()))


def _assert_nowhere(desk: Desk, secrets: tuple[str, ...]) -> None:
    """Not in what was logged or recorded, and not in the arguments of what runs."""
    places = [path for path in desk.home.rglob("*") if path.is_file() and path.parent.name != "keys"]
    assert any(path.name == "agent.log" for path in places)
    for path in places:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        assert [secret for secret in secrets if secret.encode() in content] == [], path
    for process in descendants(1):
        try:
            arguments = Path(f"/proc/{process}/cmdline").read_bytes()
        except OSError:
            continue
        assert [secret for secret in secrets if secret.encode() in arguments] == []


def test_a_machine_is_lost_and_store_and_kit_bring_everything_back(doomed: Desk) -> None:
    """What docs/recovery.md and the kit itself say, step by step: with Holdfast on a new machine, and with restic alone."""
    name = doomed.repository()["name"]
    kit = doomed.run("repository", "key", "kit", name).stdout
    found = CODE.search(kit)
    assert found is not None
    code = found[0]
    doomed.run("down")

    commands = [line.strip() for line in kit.splitlines() if line.strip().startswith("restic ")]
    assert len(commands) == 2
    environment = {**os.environ, "RESTIC_PASSWORD": code, "RESTIC_CACHE_DIR": str(doomed.folder / "cache")}
    for command in commands:
        subprocess.run(command, shell=True, check=True, capture_output=True, env=environment, cwd=doomed.folder)
    assert list(compare_trees(os.fsencode(doomed.data), os.fsencode(doomed.folder / "back" / str(doomed.data)[1:]))) == []

    successor = Desk(doomed.folder, doomed.folder / "another-home")
    successor.up()
    try:
        made = successor.json("protect", str(doomed.data), "--to", str(doomed.store), "--every", "30d", expect=exit_codes.WARNINGS)
        name = made["repository"]
        assert f"holdfast repository key restore {name}" in made["problem"]["hint"]
        status = wait_for(lambda: _with_problem(successor), 60, again_s=0.3)
        assert f"holdfast repository key restore {name}" in json.dumps(status)
        typo = code[:7] + ("0" if code[7] != "0" else "2") + code[8:]
        assert "group 2" in successor.run("repository", "key", "restore", name, given=typo + "\n", expect=2).stderr
        successor.run("repository", "key", "restore", name, given="not the password\n", expect=12)
        successor.run("repository", "key", "restore", name, given=code.lower().replace("-", " ") + "\n")
        # Whoever typed all of it has it; nothing of the lost key stands in the way any more.
        row = successor.repository()
        assert (row["error"], row["kit"], row["key_slots"]) == (None, "acknowledged", 3)
        wait_for(lambda: not _worker_problems(successor), 60, again_s=0.3)
        points = successor.json("points", "--repository", name)
        old = points[0]["id"]
        successor.run("restore", old, "--to", str(doomed.folder / "again"))
        assert list(compare_trees(os.fsencode(doomed.data), os.fsencode(doomed.folder / "again" / str(doomed.data)[1:]))) == []
        successor.run("trigger", "protect-data", "--wait")
        assert len(successor.json("points", "--repository", name)) > len(points)
    finally:
        successor.run("down")


def _with_problem(desk: Desk) -> Any:
    status = desk.status()
    return status if any(row["error"] for row in status["repositories"]) else None


def _worker_problems(desk: Desk) -> list[str]:
    return [finding["message"] for finding in desk.status()["findings"] if finding["code"] == "worker-problem"]


def test_the_page_on_recovery_names_the_commands_of_the_kit() -> None:
    page = (ROOT / "docs/recovery.md").read_text()
    for command in (
        "holdfast repository key restore",
        "holdfast points --repository",
        "holdfast restore",
        "restic -r",
        "--no-lock snapshots",
    ):
        assert command in page
