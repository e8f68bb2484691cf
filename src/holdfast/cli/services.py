"""Holdfast as services of systemd: `--service` writes and enables a unit, and what runs as one says that it is ready and alive."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.cli.service_units import DEFAULT_HOME, Service, unit_name, unit_text
from holdfast.core.errors import Conflict, HoldfastError, Refused

_START_S = 150


@dataclass(frozen=True, kw_only=True)
class Systemd:
    """One service that may be enabled here; made by `here`, before anything is used up."""

    service: Service
    home: Path
    program: str
    units: Path
    packaged: Path

    @classmethod
    def here(cls, service: Service, home: Path, root: Path = Path("/")) -> Systemd:
        """`root`: of the machine. Raises `Refused` without systemd or without root's rights, `Conflict` when a unit of this name serves
        another home, `UsageError` when a unit could not name the paths."""
        by_hand = f"start `holdfast {service} run` by what starts services here"
        if not (root / "run/systemd/system").is_dir() or shutil.which("systemctl") is None:
            raise Refused("this machine does not run systemd", hint=f"leave --service out and {by_hand}")
        if os.geteuid() != 0:
            raise Refused("only root may set up a service", hint=f"run this as root, or leave --service out and {by_hand}")
        units = root / "etc/systemd/system"
        made = cls(service=service, home=home, program=_program(), units=units, packaged=root / "usr/lib/systemd/system")
        made._check()
        return made

    def enable(self) -> str:
        """Write the unit where no package has brought one, start it now and at each boot. Returns what to tell the user.

        Raises `HoldfastError` when systemd does not start it.
        """
        if not self._has_packaged:
            path = self.units / unit_name(self.service)
            path.write_text(unit_text(self.service, self.program, self.home))
            path.chmod(0o644)
        name = unit_name(self.service)
        self._systemctl("daemon-reload")
        self._systemctl("enable", "--now", name)
        return f"{name} runs, and starts at each boot; `systemctl status {name}` shows it"

    @property
    def _has_packaged(self) -> bool:
        """The package's unit runs the package's program in the default home."""
        return self.home == DEFAULT_HOME and (self.packaged / unit_name(self.service)).is_file()

    def _check(self) -> None:
        text = unit_text(self.service, self.program, self.home)
        path = self.units / unit_name(self.service)
        with suppress(FileNotFoundError):
            if not self._has_packaged and path.read_text() != text:
                raise Conflict(
                    f"{path} is there already and says something else", hint="remove it if it is not needed, or start this by hand"
                )

    def _systemctl(self, *words: str) -> None:
        done = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=_START_S, check=False)
        if done.returncode != 0:
            told = done.stderr.strip() or f"exit code {done.returncode}"
            raise HoldfastError(f"systemctl {' '.join(words)}: {told}", hint=f"see `journalctl -u {unit_name(self.service)}`")


def tell_systemd(words: str) -> None:
    """One message as sd_notify(3) has it, to who started this as a service; nothing where nobody did, or nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told, suppress(OSError):
        told.setblocking(False)
        told.sendto(words.encode(), name)


def _program() -> str:
    """The `holdfast` that is run now: that of a package, or the one beside this Python."""
    found = Path(sys.argv[0]).absolute()
    beside = Path(sys.executable).with_name("holdfast")
    return str(beside if found.name != "holdfast" and beside.exists() else found)
