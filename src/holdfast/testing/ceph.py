"""A real object store for tests: one-node Ceph with its S3 gateway, of Debian's packages, shared by all test processes of one run.

`use_ceph(folder)` starts it or joins the one that runs there, and holds it for as long as the result is open. A keeper process owns the
daemons; when the last user has closed, or died, it stops them and deletes the folder.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool", "monmaptool")
PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")
ACCESS_KEY, SECRET_KEY = "HOLDFASTTESTKEY", "holdfast-test-secret"
USER = "holdfast"
_START_S = 90.0
_TRIES = 2
# A keeper outlives what asked for it; Python complains when it loses sight of a process that runs.
_STARTED: list[subprocess.Popen[bytes]] = []

_CONF = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon warn on pool no redundancy = false
mon allow pool size one = true
osd crush chooseleaf type = 0
mon max pg per osd = 1000
ms bind ipv6 = false
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = {folder}/run
admin socket = {folder}/run/$cluster-$name.asok
log file = {folder}/log/$name.log
pid file = {folder}/run/$name.pid
setuser match path =
keyring = {folder}/keyring
[mon]
mon data = {folder}/mon
mon data avail crit = 1
mon data avail warn = 1
paxos propose interval = 0.05
[osd]
osd data = {folder}/osd
osd objectstore = bluestore
bluestore block size = 21474836480
bluestore fsck on mount = false
osd crush update on start = false
osd class update on start = false
osd memory target = 939524096
osd op num shards = 2
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{gateway_port} tcp_nodelay=1
rgw data = {folder}/rgw
rgw thread pool size = 64
rgw bucket quota ttl = 0
rgw user quota bucket sync interval = 1
"""


def missing_programs() -> list[str]:
    return [program for program in PROGRAMS if shutil.which(program) is None]


@dataclass(frozen=True)
class Ceph:
    """Open while a test process uses it. `endpoint` is http://127.0.0.1:PORT; the keys are `ACCESS_KEY` and `SECRET_KEY`."""

    endpoint: str
    folder: Path
    _line: socket.socket

    def admin(self, *arguments: str) -> str:
        """`radosgw-admin`, for quotas and users."""
        done = subprocess.run(
            ("radosgw-admin", "--conf", str(self.folder / "ceph.conf"), *arguments), capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            raise RuntimeError(f"radosgw-admin {' '.join(arguments)}: {done.stderr[-2000:]}")
        return done.stdout

    def close(self) -> None:
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def use_ceph(folder: Path) -> Ceph:
    """The Ceph of this folder, started by the first who asks. Raises `RuntimeError` with the log's end when it does not start."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        return _joined(folder) or _started(folder)


def _joined(folder: Path) -> Ceph | None:
    """None when there is no keeper, or one that is about to go."""
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(_START_S)
    try:
        # The name is relative to the folder, because a socket's whole path has 107 bytes at most.
        with _socket_name(folder) as name:
            line.connect(name)
        said = line.recv(1024)
    except OSError:
        said = b""
    if not said:
        line.close()
        return None
    return Ceph(said.decode(), folder, line)


def _started(folder: Path) -> Ceph:
    log_path = folder.parent / f"{folder.name}.log"
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        command = (sys.executable, "-m", "holdfast.testing.ceph", str(folder))
        with log_path.open("w") as log:
            keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        _STARTED.append(keeper)
        while keeper.poll() is None:
            ceph = _joined(folder)
            if ceph is not None:
                return ceph
            time.sleep(0.05)
    raise RuntimeError(f"Ceph did not start: {log_path.read_text()[-3000:]}")


@contextmanager
def _socket_name(folder: Path) -> Iterator[str]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/keeper.sock"
    finally:
        os.close(descriptor)


class _Keeper:
    """Starts the daemons as its children, tells users where they are, and stops them when nobody is left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._gateway_port = 0

    def run(self) -> None:
        server = socket.socket(socket.AF_UNIX)
        try:
            self._start()
            with _socket_name(self._folder) as name:
                server.bind(name)
            server.listen(64)
            self._serve(server)
        finally:
            server.close()
            self._stop()

    def _serve(self, server: socket.socket) -> None:
        users: list[socket.socket] = []
        had_one = False
        while users or not had_one:
            ready, _, _ = select.select([server, *users], [], [], 60.0 if not had_one else None)
            if not ready:
                return
            for each in ready:
                if each is server:
                    user, _ = server.accept()
                    user.sendall(f"http://127.0.0.1:{self._gateway_port}".encode())
                    users.append(user)
                    had_one = True
                elif not each.recv(1):
                    users.remove(each)
                    each.close()

    def _start(self) -> None:
        folder = self._folder
        for name in ("mon", "osd", "rgw", "run", "log"):
            (folder / name).mkdir()
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        mon_port, self._gateway_port = _free_port(), _free_port()
        conf = folder / "ceph.conf"
        conf.write_text(_CONF.format(fsid=fsid, mon_port=mon_port, gateway_port=self._gateway_port, folder=folder))
        keyring, monmap = str(folder / "keyring"), str(folder / "monmap")
        self._do("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        caps = [word for kind in ("mon", "osd", "mgr") for word in ("--cap", kind, "allow *")]
        self._do("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *caps)
        self._do("monmaptool", "--create", "--addv", "a", f"[v1:127.0.0.1:{mon_port}]", "--fsid", fsid, monmap, "--clobber")
        self._do("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._daemon("ceph-mon", "-i", "a")
        self._do("ceph", "osd", "new", osd)
        self._do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._do("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h")
        self._daemon("ceph-osd", "-i", "0")
        self._daemon("radosgw", "-n", "client.rgw")
        self._do(
            "radosgw-admin",
            "user",
            "create",
            f"--uid={USER}",
            "--display-name=t",
            f"--access-key={ACCESS_KEY}",
            f"--secret-key={SECRET_KEY}",
        )
        self._wait_for_gateway()

    def _do(self, *command: str) -> None:
        began_s = time.monotonic()
        # Its errors go to our log, as the daemons' do.
        with subprocess.Popen((*command, "--conf", str(self._folder / "ceph.conf")), stdout=subprocess.DEVNULL) as doing:
            while doing.poll() is None:
                if time.monotonic() - began_s > _START_S or not self._all_run():
                    doing.kill()
                time.sleep(0.02)
        if doing.returncode:
            raise RuntimeError(f"{' '.join(command)} gave {doing.returncode}")

    def _all_run(self) -> bool:
        return all(daemon.poll() is None for daemon in self._daemons)

    def _daemon(self, *command: str) -> None:
        self._daemons.append(
            subprocess.Popen(
                (*command, "-f", "--conf", str(self._folder / "ceph.conf")),
                stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent,
            )
        )

    def _wait_for_gateway(self) -> None:
        end_s = time.monotonic() + _START_S
        while time.monotonic() < end_s:
            if not self._all_run():
                raise RuntimeError("a daemon ended")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._gateway_port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("the gateway does not answer")

    def _stop(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.kill()
        for daemon in self._daemons:
            daemon.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    _Keeper(Path(sys.argv[1])).run()
