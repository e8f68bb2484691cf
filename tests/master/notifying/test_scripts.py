"""A script of the machine as a channel: it gets the message, nobody but its root writes it, and what it says of a failure is shown."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from holdfast.core.errors import NotReachable, UsageError
from holdfast.master.notifying import scripts
from holdfast.master.notifying.channels import service_of
from holdfast.master.notifying.scripts import run_script, script_at
from holdfast.master.notifying.wording import Message
from holdfast.model.jobs import Severity
from tests.master.masters import Running, with_master

SAID = Message(title="Holdfast office: vault: the disk is full", body="one\ntwo", severity=Severity.ERROR)


def script(home: Path, text: str, name: str = "tell") -> Path:
    path = home / "scripts" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_it_gets_the_message_and_nothing_else(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script(tmp_path, f'env >{told}; echo "$# $(pwd)" >>{told}; cat >>{told}')
    run_script(script_at(tmp_path, "script://tell"), SAID)
    lines = told.read_text().splitlines()
    assert f"HOLDFAST_TITLE={SAID.title}" in lines
    assert "HOLDFAST_SEVERITY=error" in lines
    assert lines[-3:] == ["0 /", "one", "two"]
    assert {line.partition("=")[0] for line in lines[:-3]} <= {"PATH", "PWD", "SHLVL", "_", "HOLDFAST_TITLE", "HOLDFAST_SEVERITY"}
    run_script(script_at(tmp_path, "script://tell"), Message(title="t", body="b", severity=None))
    assert "HOLDFAST_SEVERITY=over" in told.read_text()


def test_what_it_ends_with_and_says_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path, "echo first; echo no route >&2; exit 3")
    with pytest.raises(NotReachable, match="tell ended with 3: no route"):
        run_script(path, SAID)
    script(tmp_path, "exit 1")
    with pytest.raises(NotReachable, match="saying nothing"):
        run_script(path, SAID)
    # Something that it leaves behind keeps nobody waiting, and does not outlive it.
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    script(tmp_path, f"exec 9>{tmp_path}/held; sleep 300 & exit 0")
    run_script(path, SAID)
    poll = select.poll()
    poll.register(held, select.POLLIN)
    assert [event for _, event in poll.poll(10_000)] == [select.POLLHUP]
    os.close(held)
    monkeypatch.setattr(scripts, "TIMEOUT_S", 0.2)
    script(tmp_path, "sleep 300")
    with pytest.raises(NotReachable, match="longer than"):
        run_script(path, SAID)
    path.write_text("#!/no/interpreter\n")
    with pytest.raises(NotReachable, match="cannot be started"):
        run_script(path, SAID)


@pytest.mark.parametrize("name", ["", "../tell", "a/b", ".hidden", "none", "folder", "plain", "link", "open"])
def test_what_is_no_script_that_root_put_there_is_refused(tmp_path: Path, name: str) -> None:
    good = script(tmp_path, "exit 0")
    (good.parent / "folder").mkdir()
    (good.parent / "plain").write_text("#!/bin/sh\n")
    (good.parent / "link").symlink_to(good)
    script(tmp_path, "exit 0", "open").chmod(0o777)
    with pytest.raises(UsageError):
        script_at(tmp_path, f"script://{name}")
    assert script_at(tmp_path, "script://tell") == good
    good.parent.chmod(0o777)
    with pytest.raises(UsageError, match="written by others"):
        script_at(tmp_path, "script://tell")


@pytest.mark.skipif(os.getuid() != 0, reason="root: gives a file to somebody else")
def test_one_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(script(tmp_path, "exit 0"), 12345, -1)
    with pytest.raises(UsageError, match="written by others"):
        script_at(tmp_path, "script://tell")


@with_master
async def test_a_script_is_a_channel_like_others(running: Running) -> None:
    home = running.master.base.config.home
    refused = await running.call("PUT", "/notifications/channels/own", {"secret_url": "script://tell"}, status=400)
    assert "there is no script 'tell'" in refused["error"]["message"]
    path = script(home, f"cat >{home}/told")
    view = await running.call("PUT", "/notifications/channels/own", {"secret_url": "script://tell"})
    assert [each["service"] for each in view["channels"]] == ["script"]
    await running.post("/notifications/channels/own/test")
    assert "This is a test" in (home / "told").read_text()
    path.unlink()
    gone = await running.post("/notifications/channels/own/test", status=503)
    assert "there is no script" in gone["error"]["message"]
    (channel,) = (await running.get("/notifications"))["channels"]
    assert "there is no script" in channel["error"]


def test_the_system_log_needs_no_more_than_its_name() -> None:
    assert service_of("syslog://") == "syslog"
    with pytest.raises(UsageError):
        service_of("syslog")
