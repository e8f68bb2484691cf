"""The tools whose live mirrors are compared, each set up to be as quick as it can: lsyncd with rsync, and Syncthing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bench.figures import living_cpu_s
from bench.live_network import Wire
from holdfast.cli.processes import free_ports

_LSYNCD = """\
settings {{ nodaemon = true, maxProcesses = 1, insist = true, maxDelays = 100000 }}
sync {{ default.rsync, source = "{source}", target = "rsync://{host}:{port}/mirror", delay = 1,
        rsync = {{ archive = true, compress = false, whole_file = false }} }}
"""
_RSYNC_DAEMON = """\
use chroot = no
address = {host}
port = {port}
pid file = {folder}/rsyncd.pid
[mirror]
path = {mirror}
read only = no
uid = root
gid = root
"""
_SYNCTHING = """\
<configuration version="36">
  <folder id="bench" path="{path}" type="{kind}" rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="1">
    {members}
  </folder>
  {devices}
  <gui enabled="false"></gui>
  <options>
    <listenAddress>tcp4://{host}:{port}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <startBrowser>false</startBrowser>
    <setLowPriority>false</setLowPriority>
    <crashReportingEnabled>false</crashReportingEnabled>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <urAccepted>-1</urAccepted>
    <reconnectionIntervalS>1</reconnectionIntervalS>
    <stunKeepaliveStartS>0</stunKeepaliveStartS>
  </options>
</configuration>
"""


class LiveContender(Protocol):
    """`source` is followed, `mirror` follows. `cpu_s`: of all its processes so far. `close` leaves nothing running."""

    name: str
    source: Path
    mirror: Path

    def begin(self) -> None:
        """Start to follow; the first transfer may still be under way."""
        ...

    def cpu_s(self) -> float: ...

    def close(self) -> None: ...


class _Processes:
    """Started here, stopped here, their output in files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, command: Sequence[str]) -> None:
        with (self._folder / f"{name}.out").open("ab") as output:
            self._all.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._folder))

    def cpu_s(self) -> float:
        return living_cpu_s([process.pid for process in self._all])

    def stop(self) -> None:
        for process in reversed(self._all):
            process.terminate()
        for process in reversed(self._all):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Lsyncd:
    """lsyncd on the source, an rsync daemon on the other machine; no encryption. By default lsyncd gathers for 15 s; here for 1 s."""

    name = "lsyncd"

    def __init__(self, scratch: Path, source: Path, wire: Wire) -> None:
        self.source, self.mirror = source, scratch / "mirror"
        self._folder, self._wire = scratch, wire
        self._processes = _Processes(scratch)

    def begin(self) -> None:
        self.mirror.mkdir()
        (port,) = free_ports(1)
        facts = {"source": self.source, "mirror": self.mirror, "host": self._wire.here, "port": port, "folder": self._folder}
        for name, text in (("rsyncd.conf", _RSYNC_DAEMON), ("lsyncd.conf", _LSYNCD)):
            (self._folder / name).write_text(text.format(**facts))
        self._processes.start("rsyncd", ("rsync", "--daemon", "--no-detach", f"--config={self._folder}/rsyncd.conf"))
        self._processes.start("lsyncd", (*self._wire.inside, "lsyncd", str(self._folder / "lsyncd.conf")))

    def cpu_s(self) -> float:
        return self._processes.cpu_s()

    def close(self) -> None:
        self._processes.stop()


class Syncthing:
    """One on each machine, sending and receiving only, over TLS, without discovery. By default it gathers for 10 s; here for 1 s."""

    name = "syncthing"

    def __init__(self, scratch: Path, source: Path, wire: Wire) -> None:
        self.source, self.mirror = source, scratch / "mirror"
        self._folder, self._wire = scratch, wire
        self._processes = _Processes(scratch)

    def begin(self) -> None:
        self.mirror.mkdir()
        sides = {"sender": (self._wire.there, self.source, "sendonly"), "receiver": (self._wire.here, self.mirror, "receiveonly")}
        ports = dict(zip(sides, free_ports(2), strict=True))
        ids = {side: self._generated(side) for side in sides}
        devices = "".join(
            f'<device id="{ids[side]}" name="{side}" compression="metadata"><address>tcp4://{sides[side][0]}:{ports[side]}</address></device>'
            for side in sides
        )
        members = "".join(f'<device id="{id_}"></device>' for id_ in ids.values())
        for side, (host, path, kind) in sides.items():
            (path / ".stfolder").mkdir()
            facts = {"path": path, "kind": kind, "members": members, "devices": devices, "host": host, "port": ports[side]}
            (self._folder / side / "config.xml").write_text(_SYNCTHING.format(**facts))
            inside = self._wire.inside if side == "sender" else ()
            command = ("syncthing", "serve", "--no-browser", "--no-restart", "--no-upgrade", "--home", str(self._folder / side))
            self._processes.start(side, (*inside, *command))

    def cpu_s(self) -> float:
        return self._processes.cpu_s()

    def close(self) -> None:
        self._processes.stop()
        shutil.rmtree(self.source / ".stfolder", ignore_errors=True)

    def _generated(self, side: str) -> str:
        """A key for one side; returns the id that belongs to it."""
        home = str(self._folder / side)
        subprocess.run(["syncthing", "generate", "--home", home, "--no-default-folder"], capture_output=True, check=True)
        done = subprocess.run(["syncthing", "serve", "--home", home, "--device-id"], capture_output=True, text=True, check=True)
        return done.stdout.strip()
