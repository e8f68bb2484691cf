"""The package on a clean Debian 12: it installs with its dependencies, works, is upgraded, removed and purged. Two builds are equal.

The root folder is made by debootstrap. There is no systemd in it: what the units start is read from them and started by hand, in a network
of its own. What is missing for this is named, and the tests are skipped by that name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deb.lock import ROOT
from holdfast.cli.processes import wait_until

pytestmark = [pytest.mark.big, pytest.mark.timeout(900)]

_DOCUMENT = """
environment: office
nodes: {here: {}}
repositories: {main: {node: here, location: /srv/repository}}
policies: {documents: {classification: {paths: [/srv/documents]}, operations: {backup: {keep: {last: 9}}}}}
flows:
  office:
    vertices: {files: {node: here, policies: [documents]}, store: {repository: main}}
    movers: [{from: files, to: store, carries: [documents/backup]}]
"""


def _need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def _build(out: Path) -> Path:
    command = [sys.executable, "-m", "deb", "--out", str(out)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, timeout=400, check=True)
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    _need("dpkg-deb")
    return _build(tmp_path_factory.mktemp("package"))


def test_two_builds_are_equal(package: Path, tmp_path: Path) -> None:
    again = _build(tmp_path)
    assert hashlib.sha256(again.read_bytes()).hexdigest() == hashlib.sha256(package.read_bytes()).hexdigest()


def _raised(package: Path, folder: Path) -> Path:
    """The same package with a higher revision."""
    tree = folder / "raised"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^(Version: .*)-1$", r"\1-2", control.read_text(), flags=re.M))
    made = folder / "holdfast_raised.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z1", "--build", str(tree), str(made)], check=True, stdout=subprocess.DEVNULL
    )
    shutil.rmtree(tree)
    return made


class Machine:
    """A Debian in a folder, with a network of its own; `services` are what its units start."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.services: dict[str, subprocess.Popen[bytes]] = {}
        quiet = "ip link set lo up && echo up && exec sleep 3600"
        self._network = subprocess.Popen(["unshare", "--net", "sh", "-c", quiet], stdout=subprocess.PIPE)
        assert self._network.stdout is not None
        assert self._network.stdout.readline() == b"up\n"

    def run(self, *command: str, text: str = "", expect: int | None = 0) -> str:
        done = subprocess.run(self._inside(command), input=text, capture_output=True, text=True, timeout=300, check=False)
        assert expect in (None, done.returncode), f"{command} -> {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def apt(self, *words: str) -> str:
        """In the network of this machine: packages come from a mirror."""
        command = ["chroot", str(self.root), "apt-get", "-y", "--no-install-recommends", *words]
        done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def start(self, service: str) -> None:
        """What the unit's `ExecStart` says."""
        unit = (self.root / f"usr/lib/systemd/system/holdfast-{service}.service").read_text()
        started = re.search(r"^ExecStart=(.*)$", unit, re.M)
        assert started is not None
        self.services[service] = subprocess.Popen(self._inside(started[1].split()))

    def stop(self) -> None:
        """As systemd does it."""
        for service in self.services.values():
            service.send_signal(signal.SIGTERM)
        assert [service.wait(60) for service in self.services.values()] == [0] * len(self.services)
        self.services.clear()

    def close(self) -> None:
        for process in (*self.services.values(), self._network):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
        if self._network.stdout is not None:
            self._network.stdout.close()

    def _inside(self, command: tuple[str, ...] | list[str]) -> list[str]:
        network = f"--net=/proc/{self._network.pid}/ns/net"
        return ["nsenter", network, "env", "-i", *(f"{k}={v}" for k, v in _ENVIRONMENT.items()), "chroot", str(self.root), *command]


_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    _need("debootstrap", "chroot", "unshare", "nsenter", "ip", "restic")
    root = tmp_path / "debian"
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", str(root)], capture_output=True, text=True, timeout=400, check=False
    )
    if made.returncode != 0:
        if "release" in made.stdout + made.stderr and not (root / "var/lib/dpkg").exists():
            pytest.skip("no mirror of Debian can be reached")
        pytest.fail(f"debootstrap: {made.stdout[-2000:]}{made.stderr[-2000:]}")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    mounts = [("proc", "proc", "proc"), ("bind", "/dev", "dev")]
    for kind, source, place in mounts:
        subprocess.run(["mount", *(["--bind"] if kind == "bind" else ["-t", kind]), source, str(root / place)], check=True)
    there = Machine(root)
    try:
        yield there
    finally:
        there.close()
        for _, _, place in mounts:
            subprocess.run(["umount", "--lazy", str(root / place)], check=True)
        shutil.rmtree(root)


def _bring_up(machine: Machine) -> None:
    machine.start("master")
    machine.start("node")
    wait_until(lambda: "online" in machine.run("holdfast", "nodes", expect=None), "the node is online", timeout_s=60)


def _restored_equal(machine: Machine, target: str) -> None:
    machine.run("holdfast", "restore", "--dataset", "here/documents", "--at", "now", "--to", target)
    found = machine.root / target.lstrip("/")
    assert (found / "srv/documents/letter").read_bytes() == (machine.root / "srv/documents/letter").read_bytes()
    subprocess.run(["diff", "-r", str(found / "srv/documents"), str(machine.root / "srv/documents")], check=True)


def _restic_finds_no_fault(machine: Machine, password: Path) -> None:
    command = ["restic", "--no-cache", "-r", str(machine.root / "srv/repository"), "--password-file", str(password), "check", "--read-data"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "no errors were found" in done.stdout, done.stdout + done.stderr


def test_it_installs_works_is_upgraded_and_removed(package: Path, machine: Machine, tmp_path: Path) -> None:
    home, documents = machine.root / "var/lib/holdfast", machine.root / "srv/documents"
    shutil.copytree(ROOT / "docs", documents, ignore=shutil.ignore_patterns("images"))
    (documents / "letter").write_text("first\n")
    shutil.copy(package, machine.root / "tmp/holdfast.deb")
    machine.apt("install", "/tmp/holdfast.deb")
    assert home.stat().st_mode & 0o777 == 0o700
    assert machine.run("holdfast", "--version").startswith("holdfast ")
    assert (machine.root / "usr/share/man/man1/holdfast-node-join.1.gz").exists()

    machine.run("holdfast", "master", "init", "--name", "office", "--listen", "127.0.0.1")
    machine.start("master")
    wait_until(lambda: "node" in machine.run("holdfast", "nodes", expect=None).lower(), "the Master answers", timeout_s=60)
    token = machine.run("holdfast", "master", "token", "--name", "here").strip()
    options = ("--listen", "127.0.0.1:7442", "--read", "/srv/documents", "--write", "/srv/restored")
    machine.run("holdfast", "node", "join", "https://127.0.0.1:7440", "--token", token, "--name", "here", *options)
    assert "/srv/documents" in (machine.root / "etc/holdfast/limits.toml").read_text()
    machine.start("node")
    wait_until(lambda: "online" in machine.run("holdfast", "nodes", expect=None), "the node is online", timeout_s=60)

    (machine.root / "root/office.yaml").write_text(_DOCUMENT)
    machine.run("holdfast", "apply", "/root/office.yaml", "--yes")
    machine.run("holdfast", "activate", "office")
    machine.run("holdfast", "trigger", "office", "--wait")
    _restored_equal(machine, "/srv/restored/first")

    shutil.copy(_raised(package, tmp_path), machine.root / "tmp/raised.deb")
    machine.stop()
    _restic_finds_no_fault(machine, home / "keys/main")
    machine.apt("install", "/tmp/raised.deb")
    assert machine.run("dpkg-query", "-W", "-f", "${Version}", "holdfast").endswith("-2")
    assert "/srv/documents" in (machine.root / "etc/holdfast/limits.toml").read_text()
    _bring_up(machine)
    (documents / "letter").write_text("second\n")
    machine.run("holdfast", "trigger", "office", "--wait")
    assert machine.run("holdfast", "points").count("here/documents") == 2
    _restored_equal(machine, "/srv/restored/second")
    machine.stop()
    _removed_and_purged(machine, home)


def _removed_and_purged(machine: Machine, home: Path) -> None:
    machine.apt("remove", "holdfast")
    assert not (machine.root / "usr/lib/holdfast").exists()
    assert (machine.root / "etc/holdfast/limits.toml").exists()
    assert "stays, with keys and records" in machine.apt("purge", "holdfast")
    _restic_finds_no_fault(machine, home / "keys/main")
    kept = machine.root / "root/password"
    shutil.copy(home / "keys/main", kept)
    machine.apt("install", "/tmp/raised.deb")
    machine.run("debconf-set-selections", text="holdfast holdfast/remove-home boolean true\n")
    machine.apt("purge", "holdfast")
    assert not home.exists()
    _restic_finds_no_fault(machine, kept)
