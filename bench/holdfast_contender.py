"""Holdfast set up in one of two ways: source and receivers on separate nodes (over gRPC with mutual TLS), or all on one node.

Everything goes through the Master's API as for a user; each node is its own process with its workers. CPU counts all processes, the
Master included; memory counts the workers that move the data: the source worker of the source, the store worker of the first receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.contender import bytes_below
from bench.figures import Probe, living_cpu_s, with_descendants
from holdfast.cli.demo.machines import Machines
from holdfast.cli.processes import wait_until
from holdfast.cli.waiting import wait_for_trigger

_DOCUMENT = """\
environment: bench
nodes: {{source: {{}}, vault: {{}}, far: {{}}}}
repositories:
  main: {{node: {vault}, location: {folder}/store}}
  offsite: {{node: {far}, location: {folder}/offsite}}
policies:
  data:
    classification: {{paths: ["{data}"]}}
    operations: {{backup: {{every: 30d, keep: {{last: 100}}}}, replicate: {{removed: follow, every: 30d}}}}
flows:
  store:
    vertices: {{from: {{node: source, policies: [data]}}, to: {{repository: main}}}}
    movers: [{{from: from, to: to, carries: [data/backup]}}]
  copy:
    vertices: {{from: {{node: source, policies: [data]}}, to: {{mirror: {vault}, path: "{folder}/mirror"}}}}
    movers: [{{from: from, to: to, carries: [data/replicate]}}]
  cascade:
    vertices: {{from: {{node: source, policies: [data]}}, to: {{repository: main}}, far: {{repository: offsite}}}}
    movers:
      - {{from: from, to: to, carries: [data/backup]}}
      - {{from: to, to: far, carries: [data/backup], after: data/backup, keep: {{last: 100}}}}
"""


class Holdfast:
    """`over_wire`: separate nodes; else one node is all of them."""

    def __init__(self, scratch: Path, data: Path, *, over_wire: bool) -> None:
        self.name = "over gRPC" if over_wire else "one machine"
        self._folder = scratch / ("wire" if over_wire else "machine")
        self._machines = Machines(self._folder / "machines")
        self._client = self._machines.start_master("bench")
        names = ("source", "vault", "far") if over_wire else ("source",)
        for name in names:
            self._machines.start_node(name)
        self._machines.wait_for_nodes(set(names))
        places = {"vault": "vault", "far": "far"} if over_wire else {"vault": "source", "far": "source"}
        text = _DOCUMENT.format(folder=self._folder, data=data, **places)
        if not over_wire:
            text = text.replace("vault: {}, far: {}", "").replace("source: {}, ", "source: {}")
        self._client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": ""})

    @property
    def probe(self) -> Probe:
        pids = [child.pid for child in self._machines.children]
        return Probe(lambda: living_cpu_s(pids), self._workers)

    @property
    def stages(self) -> Mapping[str, Callable[[], None]]:
        return {
            "first": lambda: self._first_of("store"),
            **dict.fromkeys(("unchanged", "changed"), lambda: self._run("store")),
            "restore": self._restore,
            "cascade": self._cascade,
            "mirror": lambda: self._first_of("copy"),
            **dict.fromkeys(("mirror-unchanged", "mirror-changed"), lambda: self._run("copy")),
        }

    def stored_bytes(self) -> int:
        return bytes_below(self._folder / "store")

    def close(self) -> None:
        self._machines.stop()

    def _workers(self) -> set[int]:
        nodes = {child.name: child.pid for child in self._machines.children}
        roles = {"source": nodes["source"], "store": nodes.get("vault", nodes["source"])}
        return {pid for role, node in roles.items() for pid in with_descendants([node]) if _is_worker(pid, role)}

    def _first_of(self, flow: str) -> None:
        """Activation makes the first run due at once; it is that run which is measured."""
        answer = self._client.post(f"/flows/{flow}/activate")
        if not answer["valid"]:
            raise SystemExit(f"the flow {flow} does not compile: {answer['diagnostics']}")
        self._run(flow)

    def _run(self, flow: str) -> None:
        self._wait_for(self._client.post(f"/flows/{flow}/trigger", {})["trigger"])

    def _restore(self) -> None:
        point = self._client.get("/points", repository="main")["points"][-1]
        body = {"point": point["id"], "to": str(self._folder / "restored"), "node": "source"}
        self._wait_for(self._client.post("/restores", body)["trigger"])

    def _cascade(self) -> None:
        """With a run of the source in which nothing has changed."""
        self._first_of("cascade")
        wait_until(self._has_far_point, "the cascade's point has arrived", self._machines.children, timeout_s=600)

    def _has_far_point(self) -> bool:
        return bool(self._client.get("/points", repository="offsite")["points"])

    def _wait_for(self, trigger: str) -> None:
        record: dict[str, Any] = wait_for_trigger(self._client, trigger)
        if record["state"] != "succeeded":
            raise SystemExit(f"a run of {self.name} ended {record['state']}: {record}")


def _is_worker(pid: int, role: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"holdfast.node.worker_main" in words and role.encode() in words
