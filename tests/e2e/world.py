"""Real machines for end-to-end tests: a Master and nodes as processes, driven by the command line as a person would."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from holdfast.cli.client import ApiClient
from holdfast.cli.demo.machines import Machines
from holdfast.cli.home import load_session
from holdfast.cli.processes import Child, free_ports, wait_until
from holdfast.model.questions import AskRepositoryEnv, RepositoryEnv
from holdfast.node.local.client import ask
from tests.typed import ForkedChild, typed


class World:
    """Machines below one folder. `run` is the command line, logged in as the administrator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines = Machines(folder, child=ForkedChild)
        self.names: list[str] = []

    @property
    def client(self) -> ApiClient:
        return ApiClient(load_session(self.machines.home("master")))

    def start(self, *nodes: str) -> None:
        try:
            self.machines.start_master("test")
            for name in nodes:
                self.machines.start_node(name)
                self.names.append(name)
            self.machines.wait_for_nodes(set(nodes))
        except BaseException:
            # A fixture that gives up here has not come to the line that stops them.
            self.machines.stop()
            raise

    def home(self, name: str) -> Path:
        return self.machines.home(name)

    def run(self, *arguments: str, home: str = "master", expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        result = typed(arguments, self.home(home))
        if expect is not None:
            assert result.returncode == expect, f"{arguments} -> {result.returncode}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
        return result

    def json(self, *arguments: str, home: str = "master", expect: int | None = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", home=home, expect=expect).stdout)

    def apply(self, text: str, *flows: str) -> None:
        document = self.folder / "environment.yaml"
        document.write_text(text)
        self.run("apply", str(document), "--yes")
        for flow in flows:
            self.run("activate", flow)

    def child(self, name: str) -> Child:
        """The newest process of that name."""
        return [child for child in self.machines.children if child.name == name][-1]

    def kill(self, name: str) -> None:
        """kill -9 of the whole machine: agent and workers."""
        pid = self.child(name).pid
        for victim in [*descendants(pid), pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        self.child(name).stop()

    def stop(self, name: str) -> None:
        self.child(name).stop()

    def restart(self, name: str) -> None:
        self.child(name).start()
        if name == "master":
            wait_until(lambda: self.client.is_answered(), "the Master answers again", [self.child(name)])
        else:
            wait_until(lambda: name in self.client.online_nodes(), f"{name} is back", [self.child(name)])

    def restart_without_waiting(self, name: str) -> None:
        self.child(name).start()

    def try_join(self, name: str, token: str, *options: str) -> subprocess.CompletedProcess[str]:
        """`node join` as typed, whatever comes of it."""
        port = free_ports(1)[0]
        url = self.client.url
        words = ("node", "join", url, "--token", token, "--name", name, "--listen", f"127.0.0.1:{port}", *options)
        return self.run(*words, home=name, expect=None)

    def join(self, name: str, token: str, *options: str) -> None:
        """Join and start a machine that is not one of `start`'s."""
        joined = self.try_join(name, token, *options)
        assert joined.returncode == 0, joined.stderr
        child = ForkedChild(name, ["node", "run", "--home", str(self.home(name))], self.home(name) / "log" / "node.out")
        child.start()
        self.machines.children.append(child)
        wait_until(lambda: name in self.client.online_nodes(), f"{name} is online", [child])

    def set_limits(self, name: str, text: str) -> None:
        """Write a machine's limits and let its agent read them."""
        path = self.home(name) / "limits.toml"
        path.write_text(text)
        path.chmod(0o600)
        self.stop(name)
        self.restart(name)

    def points_of(self, repository: str, owner: str) -> list[dict[str, Any]]:
        """Asked on the owner's own machine."""
        return list(json.loads(self.run("points", "--repository", repository, "--json", home=owner, expect=None).stdout))

    def restic(self, repository: str, owner: str, *arguments: str) -> str:
        """Stock restic on a repository, by the password its owner hands out on its own machine. What wants the repository for itself waits
        until the owner's session has ended, as it must soon."""
        env = ask(self.home(owner), AskRepositoryEnv(repository=repository), 30)
        assert isinstance(env, RepositoryEnv), env
        return restic(env.location, env.password, self.folder, *arguments, variables=env.variables)

    def points(self, repository: str = "") -> list[dict[str, Any]]:
        found = self.client.get("/points", repository=repository)
        assert not found["unreachable"]
        return sorted(found["points"], key=lambda p: p["time"])

    def close(self) -> None:
        self.machines.stop()


def restic(location: str, password: str, scratch: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
    environment = {
        **os.environ,
        **(variables or {}),
        "RESTIC_REPOSITORY": location,
        "RESTIC_PASSWORD": password,
        "RESTIC_CACHE_DIR": str(scratch / "restic-cache"),
    }
    deadline = time.monotonic() + 40
    while True:
        result = subprocess.run(["restic", *arguments], env=environment, capture_output=True, text=True, check=False)
        if "already locked" not in result.stderr or time.monotonic() > deadline:
            break
        wait_briefly()
    assert result.returncode == 0, f"restic {arguments} -> {result.returncode}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
    return result.stdout


def descendants(pid: int) -> list[int]:
    """All processes below one, deepest last."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def worker_pid(world: World, node: str, role: str) -> int:
    """The source or store worker of a node."""
    for pid in descendants(world.child(node).pid):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"holdfast.node.processes.worker_main" in words and role.encode() in words:
                return pid
    raise AssertionError(f"{node} has no {role} worker")


def rsync_differences(source: Path, mirror: Path) -> str:
    command = ["rsync", "-nacHAX", "--delete", "--itemize-changes", f"{source}/", f"{mirror}/"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def eventually(condition: Callable[[], bool], what: str, timeout_s: float = 90) -> None:
    """Poll the outside world; the product has no hook a test could wait on from another process."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        wait_briefly()


def wait_briefly() -> None:
    signal.sigtimedwait([], 0.1)


@contextlib.contextmanager
def world_in(folder: Path, *nodes: str) -> Iterator[World]:
    world = World(folder)
    try:
        world.start(*nodes)
        yield world
    finally:
        world.close()
        shutil.rmtree(folder / "restic-cache", ignore_errors=True)


def by_hand_only() -> str:
    """A schedule that does not come due while a test runs: twelve hours from now, each day."""
    return f"at: ['{(datetime.now(UTC) + timedelta(hours=12)):%H:%M}']"


ONE_TO_TWO = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}, dr: {{}}}}
repositories:
  main: {{node: vault, location: {folder}/vault/main}}
  offsite: {{node: dr, location: {folder}/dr/offsite}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
      backup: {{{when}, keep: {{last: 50}}}}
      replicate: {{removed: follow}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
      copy: {{mirror: dr, path: {folder}/dr/mirror}}
      far: {{repository: offsite}}
    movers:
      - {{from: files, to: store, carries: [documents/backup]}}
      - {{from: files, to: copy, carries: [documents/replicate]}}
      - {{from: store, to: far, carries: [documents/backup], after: documents/backup}}
"""
