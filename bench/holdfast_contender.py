"""Holdfast set up in one of two ways: source and receivers on separate nodes (over gRPC with mutual TLS), or all on one node.

Every stage is a command of the command line, as a user types it; each node is its own process with its workers. CPU counts all
processes, the Master and the command included; memory counts the workers that move the data: the source worker of the source, the store
worker of the receiver.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.contender import bytes_below
from bench.figures import Probe, finished_children_cpu_s, living_cpu_s, with_descendants
from holdfast.cli.demo.machines import Machines
from holdfast.cli.processes import wait_until

_DOCUMENT = """\
environment: bench
nodes: {nodes}
repositories:
  main: {{node: {vault}, location: {folder}/store}}
  offsite: {{node: {far}, location: {folder}/offsite}}
policies:
  data:
    classification: {{paths: ["{data}"]}}
    operations:
      backup: {{every: 30d, keep: {{last: 100}}}}
      replicate: {{removed: follow, every: 30d}}
      live: {{every: 1m, keep: {{last: 100}}}}
      cdp: {{within: 24h}}
      version: {{last: 10}}
      archive: {{when: {{larger_than: 10KB}}, keep: 7y, leave: copy}}
flows:
  store:
    vertices: {{from: {{node: source, policies: [data]}}, to: {{repository: main}}}}
    movers: [{{from: from, to: to, carries: [data/backup]}}]
  cascade:
    vertices: {{from: {{node: source, policies: [data]}}, to: {{repository: main}}, far: {{repository: offsite}}}}
    movers:
      - {{from: from, to: to, carries: [data/backup]}}
      - {{from: to, to: far, carries: [data/backup], after: data/backup, keep: {{last: 100}}}}
  fan-out:
    vertices:
      from: {{node: source, policies: [data]}}
      one: {{repository: main}}
      two: {{repository: offsite}}
      three: {{mirror: {vault}, path: "{folder}/mirror"}}
      four: {{mirror: {far}, path: "{folder}/far-mirror"}}
    movers:
      - {{from: from, to: one, carries: [data/backup]}}
      - {{from: from, to: two, carries: [data/backup]}}
      - {{from: from, to: three, carries: [data/replicate]}}
      - {{from: from, to: four, carries: [data/replicate]}}
  everything:
    vertices:
      from: {{node: source, policies: [data]}}
      one: {{repository: main}}
      two: {{repository: offsite}}
      three: {{mirror: {vault}, path: "{folder}/mirror"}}
      four: {{mirror: {far}, path: "{folder}/far-mirror"}}
    movers:
      - {{from: from, to: one, carries: [data/backup, data/live, data/cdp, data/version, data/archive]}}
      - {{from: from, to: three, carries: [data/replicate]}}
      - {{from: from, to: four, carries: [data/replicate]}}
      - {{from: one, to: two, carries: [data/backup], after: data/backup, keep: {{last: 100}}}}
"""


class Holdfast:
    """`over_wire`: separate nodes; else one node is all of them."""

    def __init__(self, scratch: Path, data: Path, *, over_wire: bool) -> None:
        self.name = "over gRPC" if over_wire else "one machine"
        self._folder = scratch / "holdfast"
        self._machines = Machines(self._folder / "machines")
        client = self._machines.start_master("bench")
        names = ("source", "vault", "far") if over_wire else ("source",)
        for name in names:
            self._machines.start_node(name)
        self._machines.wait_for_nodes(set(names))
        places = {"vault": "vault", "far": "far"} if over_wire else {"vault": "source", "far": "source"}
        nodes = "{" + ", ".join(f"{name}: {{}}" for name in names) + "}"
        text = _DOCUMENT.format(folder=self._folder, data=data, nodes=nodes, **places)
        client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": ""})

    @property
    def probe(self) -> Probe:
        pids = [child.pid for child in self._machines.children]
        return Probe(lambda: living_cpu_s(pids) + finished_children_cpu_s(), self._workers)

    @property
    def stages(self) -> Mapping[str, Callable[[], None]]:
        return {
            "first": lambda: self.first_of("store"),
            **dict.fromkeys(("unchanged", "changed"), lambda: self.run("store")),
            "restore": self._restore,
            "check": self._check,
            "forget-and-prune": self._prune,
            "cascade": self._cascade,
        }

    @property
    def mirrors(self) -> tuple[Path, Path]:
        """Of the flows that have some."""
        return self._folder / "mirror", self._folder / "far-mirror"

    @property
    def archived(self) -> tuple[int, int]:
        """Files and bytes."""
        rows = json.loads(self._holdfast("archive", "report", "--json"))["datasets"]
        return sum(row["files"] for row in rows), sum(row["size_bytes"] for row in rows)

    def stored_bytes(self) -> int:
        return bytes_below(self._folder / "store")

    def close(self) -> None:
        self._machines.stop()

    def worker(self, role: str) -> int:
        """The source's worker process of this role."""
        node = next(child.pid for child in self._machines.children if child.name == "source")
        return next(pid for pid in with_descendants([node]) if is_worker(pid, role))

    def _holdfast(self, *arguments: str) -> str:
        return run_holdfast(self._machines.home("master"), *arguments)

    def _workers(self) -> set[int]:
        nodes = {child.name: child.pid for child in self._machines.children}
        roles = {"source": nodes["source"], "store": nodes.get("vault", nodes["source"])}
        return {pid for role, node in roles.items() for pid in with_descendants([node]) if is_worker(pid, role)}

    def first_of(self, flow: str) -> None:
        """Activation makes the first run due at once; it is that run which is measured."""
        self._holdfast("activate", flow)
        self.run(flow)

    def run(self, flow: str) -> None:
        self._holdfast("trigger", flow, "--wait")

    def _restore(self) -> None:
        """The newest state, in one command, as restic's `restore latest`."""
        self._holdfast("restore", "--dataset", "source/data", "--from", "main", "--to", str(self._folder / "restored"), "--node", "source")

    def _check(self) -> None:
        self._holdfast("repository", "check", "main", "--read-data")

    def _prune(self) -> None:
        """All points but the newest go, and what only they reached, at once."""
        gone = [point["id"] for point in self._points("main")[:-1]]
        if gone:
            self._holdfast("points", "forget", *gone, "--yes")
        self._holdfast("repository", "prune", "main", "--grace", "0s")

    def _cascade(self) -> None:
        """With a run of the source in which nothing has changed."""
        self.first_of("cascade")
        self.wait_for_cascade(1)

    def wait_for_cascade(self, points: int) -> None:
        arrived = "the cascade's points have arrived"
        wait_until(lambda: len(self._points("offsite")) >= points, arrived, self._machines.children, timeout_s=600)

    def _points(self, repository: str) -> list[dict[str, Any]]:
        return list(json.loads(self._holdfast("points", "--repository", repository, "--json")))


def is_worker(pid: int, role: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"holdfast.node.processes.worker_main" in words and role.encode() in words


def run_holdfast(home: Path, *arguments: str) -> str:
    """What the command printed; one that fails ends the bench."""
    command = [str(Path(sys.executable).with_name("holdfast")), *arguments, "--home", str(home)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"holdfast {' '.join(arguments)} ended with {result.returncode}: {result.stdout}{result.stderr}")
    return result.stdout
