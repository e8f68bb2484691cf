"""Holdfast following one folder, set up in one of two ways: source and receivers on separate machines, or all on one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.figures import living_cpu_s, with_descendants
from bench.holdfast_contender import is_worker, run_holdfast
from bench.live_network import Wire
from holdfast.cli.demo.machines import Machines
from holdfast.cli.processes import wait_until

_PATIENCE_S = 900.0
_DOCUMENT = """\
environment: bench
nodes: {nodes}
repositories:
  main: {{node: {vault}, location: {folder}/store}}
policies:
  data:
    classification: {{paths: ["{data}"], granularity: {granularity}}}
    operations:
      backup: {{every: 30d, keep: {{last: 100}}}}
      live: {{every: 1m, keep: {{last: 100}}}}
      cdp: {{within: 24h}}
      replicate: {{removed: follow}}
flows:
  mirror:
    vertices: {{from: {{node: source, policies: [data]}}, to: {{mirror: {vault}, path: "{folder}/mirror"}}}}
    movers: [{{from: from, to: to, carries: [data/replicate], mode: continuous}}]
  cdp:
    vertices: {{from: {{node: source, policies: [data]}}, to: {{repository: main}}}}
    movers: [{{from: from, to: to, carries: [data/cdp]}}]
  both:
    vertices: {{from: {{node: source, policies: [data]}}, to: {{repository: main}}, copy: {{mirror: {vault}, path: "{folder}/mirror"}}}}
    movers:
      - {{from: from, to: to, carries: [data/cdp]}}
      - {{from: from, to: copy, carries: [data/replicate], mode: continuous}}
  all:
    vertices:
      from: {{node: source, policies: [data]}}
      to: {{repository: main}}
      one: {{mirror: {vault}, path: "{folder}/mirror"}}
      two: {{mirror: {far}, path: "{folder}/far-mirror"}}
    movers:
      - {{from: from, to: to, carries: [data/backup, data/live, data/cdp]}}
      - {{from: from, to: one, carries: [data/replicate], mode: continuous}}
      - {{from: from, to: two, carries: [data/replicate], mode: continuous}}
"""


class LiveHoldfast:
    """`wire` None: one machine is all of them. `flow`: which one of the document is activated."""

    def __init__(self, scratch: Path, source: Path, wire: Wire | None, *, flow: str = "mirror", granularity: str = "auto") -> None:
        self.name = "one machine" if wire is None else "over gRPC"
        self.source, self.folder, self._flow = source, scratch, flow
        self.mirror, self.far_mirror, self.store = scratch / "mirror", scratch / "far-mirror", scratch / "store"
        self._machines = Machines(scratch / "machines", host="127.0.0.1" if wire is None else wire.here)
        client = self._machines.start_master("bench")
        names = ("source",) if wire is None else ("vault", "far", "source")
        for name in names:
            if wire is not None and name == "source":
                self._machines.start_node(name, host=wire.there, inside=wire.inside)
            else:
                self._machines.start_node(name)
        self._machines.wait_for_nodes(set(names))
        self.vault = "source" if wire is None else "vault"
        places = {"vault": self.vault, "far": "source" if wire is None else "far"}
        nodes = "{" + ", ".join(f"{name}: {{}}" for name in names) + "}"
        text = _DOCUMENT.format(folder=scratch, data=source, nodes=nodes, granularity=granularity, **places)
        client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": ""})

    @property
    def journal(self) -> Path:
        return self._machines.home(self.vault) / "repositories" / "main" / "journal"

    def begin(self) -> None:
        self.run("activate", self._flow)
        self.wait_until_followed()

    def wait_until_followed(self) -> None:
        wait_until(self.is_followed, "the dataset is followed", self._machines.children, timeout_s=_PATIENCE_S)

    def wait_until_restarted(self) -> None:
        """Followed again, the gap of the restart healed."""
        wait_until(lambda: self.is_followed() and bool(self.following["gaps"]), "it is followed again", timeout_s=_PATIENCE_S)

    def jobs(self) -> list[dict[str, Any]]:
        client = self._machines.client
        assert client is not None
        return list(client.get("/jobs", limit=100)["jobs"])

    @property
    def following(self) -> dict[str, Any]:
        client = self._machines.client
        assert client is not None
        rows: list[dict[str, Any]] = client.get("/status")["following"]
        return rows[0] if rows else {}

    def is_followed(self) -> bool:
        return self.following.get("state") == "following"

    def cpu_s(self) -> float:
        return living_cpu_s([child.pid for child in self._machines.children])

    def worker(self, role: str, node: str = "source") -> int:
        pid = next(child.pid for child in self._machines.children if child.name == node)
        return next(each for each in with_descendants([pid]) if is_worker(each, role))

    def restart(self, node: str = "source") -> None:
        child = next(child for child in self._machines.children if child.name == node)
        child.stop()
        child.start()

    def run(self, *arguments: str) -> str:
        return run_holdfast(self._machines.home("master"), *arguments)

    def close(self) -> None:
        self._machines.stop()
