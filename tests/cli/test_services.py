"""`--service`: units are written and enabled, or it is said what is in the way; what runs as a service says so."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from holdfast.cli.output import note_to_a_person
from holdfast.cli.service_units import DEFAULT_HOME, SERVICES, Service, unit_name, unit_text
from holdfast.cli.services import Systemd, tell_systemd
from holdfast.core.errors import Conflict, HoldfastError, Refused, UsageError


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root folder of a machine with systemd, whose `systemctl` writes down what it is asked."""
    for folder in ("run/systemd/system", "etc/systemd/system", "usr/lib/systemd/system", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    program = tmp_path / "bin/systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ ! -e {tmp_path}/broken ] || {{ echo "no" >&2; exit 1; }}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def test_a_unit_is_written_and_enabled(machine: Path) -> None:
    told = Systemd.here("node", Path("/srv/holdfast-home"), machine).enable()
    text = (machine / "etc/systemd/system/holdfast-node.service").read_text()
    assert " node run --home /srv/holdfast-home\n" in text
    assert (machine / "asked").read_text() == "daemon-reload\nenable --now holdfast-node.service\n"
    assert "holdfast-node.service runs" in told
    Systemd.here("node", Path("/srv/holdfast-home"), machine).enable()


def test_the_unit_of_a_package_is_left_as_it_is(machine: Path) -> None:
    (machine / "usr/lib/systemd/system/holdfast-master.service").write_text("the package's")
    Systemd.here("master", DEFAULT_HOME, machine).enable()
    assert not (machine / "etc/systemd/system/holdfast-master.service").exists()
    assert "enable --now holdfast-master.service" in (machine / "asked").read_text()


def test_another_homes_unit_is_not_written_over(machine: Path) -> None:
    Systemd.here("node", Path("/srv/one"), machine).enable()
    with pytest.raises(Conflict, match="says something else"):
        Systemd.here("node", Path("/srv/two"), machine)


def test_without_systemd_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not run systemd") as caught:
        Systemd.here("node", DEFAULT_HOME, tmp_path)
    assert "holdfast node run" in caught.value.hint


def test_what_systemd_refuses_is_told(machine: Path) -> None:
    (machine / "broken").touch()
    with pytest.raises(HoldfastError, match="systemctl daemon-reload: no"):
        Systemd.here("node", DEFAULT_HOME, machine).enable()


def test_a_home_that_no_unit_can_name_is_refused(machine: Path) -> None:
    with pytest.raises(UsageError, match="cannot stand in a unit"):
        Systemd.here("node", Path("/srv/with blank"), machine)


@pytest.mark.parametrize("service", SERVICES)
def test_systemd_understands_the_unit(service: Service, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / unit_name(service)
    path.write_text(unit_text(service, "/usr/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if path.name in line]) == (0, [])


def test_only_a_terminal_is_told_that_something_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    note_to_a_person("in a pipe")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    note_to_a_person("on a terminal")
    assert capsys.readouterr() == ("", "on a terminal\n")


def test_systemd_hears_that_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(place)
        monkeypatch.setenv("NOTIFY_SOCKET", place)
        tell_systemd("READY=1")
        assert listener.recv(64) == b"READY=1"
    tell_systemd("nobody listens any more")
    monkeypatch.delenv("NOTIFY_SOCKET")
    tell_systemd("nobody asked")
