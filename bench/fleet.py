"""Measure a Master with very many nodes: `python -m bench.fleet [--nodes 2000] [--records 200] [--seconds 20] [--database URL]`.

The Master is a process of its own with a real home; the nodes live in other processes, each with its own certificate of the Master's
authority, and speak to the hub by the hub client of a real node (`testing.fleet`). Meanwhile somebody has the console open. All share the
cores of this machine, so the CPU seconds of both sides are shown. What a node says of its datasets changes when a run of it begins or
ends, as with a real one; until 2026-11-27 it was another at each question, so that the Master could keep nothing of it. `chrt -r 1` before
the command keeps other programs out of the way.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select

from bench.figures import living_cpu_s, pss_bytes
from bench.fleet_body import Report
from holdfast.cli.client import ApiClient
from holdfast.cli.commands.nodes import all_nodes
from holdfast.cli.home import load_session
from holdfast.cli.processes import Child, free_ports, wait_until
from holdfast.cli.setup import MasterSetup, set_up_master
from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.ids import NodeId
from holdfast.master.config import load_config
from holdfast.master.records.database import Database
from holdfast.master.records.tables import EventRow, JobRow
from holdfast.master.server import open_foundation
from holdfast.model.jobs import State
from holdfast.testing.fleet import EVENT_CODE, Machine, enrol
from holdfast.wire.identity import make_csr, new_key

FLOW = "fleet"
_GROUPS, _OWNERS, _JOINED = 10, 4, 3
_PATIENCE_S = 600.0
Figures = dict[str, Any]


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        scene = _Scene(folder, options.nodes, options.processes, options.database)
        stack.callback(scene.stop)
        figures: Figures = {
            "nodes": options.nodes,
            "records a second": options.records,
            "database": options.database.split(":")[0] or "sqlite",
        }

        def note(**more: Any) -> None:
            figures.update({key.replace("_", " "): value for key, value in more.items()})
            print(json.dumps({key.replace("_", " "): value for key, value in more.items()}), flush=True)

        note(**scene.set_up())
        note(first_connection_s=scene.timed(scene.start_bodies, scene.all_connected))
        note(**scene.activate("first activation", 1))
        note(idle=scene.meanwhile(lambda: time.sleep(options.seconds)))
        scene.say(f"work {options.records / options.processes}")
        note(load=scene.meanwhile(lambda: time.sleep(options.seconds)))
        answered: Figures = {}
        note(load_and_console=scene.meanwhile(lambda: answered.update(scene.look(options.subscribers, options.seconds))))
        note(answers=answered)
        note(**scene.restart())
        note(**scene.activate("second activation, under load", 2))
        scene.say("rest")
        note(records=scene.compare_records())
        if options.json is not None:
            options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.fleet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--records", type=float, default=200, help="told a second by all nodes together: jobs, progress, lines of the log")
    parser.add_argument("--seconds", type=float, default=20, help="of each phase")
    parser.add_argument("--subscribers", type=int, default=3, help="browsers that follow the live events")
    parser.add_argument("--processes", type=int, default=2, help="in which the nodes live")
    parser.add_argument("--database", default="", help="URL of an empty PostgreSQL database; else SQLite")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def document(nodes: int, every_h: int) -> str:
    """Sources in ten groups, each with three policies into one of four repositories."""
    lines = ["environment: fleet", "nodes:"]
    lines += [f"  vault{n}: {{}}" for n in range(_OWNERS)]
    lines += [f"  {name}: {{tags: [g{n % _GROUPS}]}}" for n, name in enumerate(_source_names(nodes))]
    lines += ["groups:", *(f"  group{n}: {{tags: [g{n}]}}" for n in range(_GROUPS))]
    lines += ["repositories:", *(f"  store{n}: {{node: vault{n}, location: /srv/store{n}}}" for n in range(_OWNERS))]
    lines += ["policies:"]
    for policy, path in (("documents", "/srv/documents"), ("settings", "/etc"), ("sites", "/var/www")):
        lines += [
            f"  {policy}: {{classification: {{paths: [{path}]}}, operations: {{backup: {{every: {every_h}h, keep: {{daily: 30}}}}}}}}"
        ]
    policies = "documents, settings, sites"
    carries = "documents/backup, settings/backup, sites/backup"
    lines += ["flows:", f"  {FLOW}:", "    vertices:"]
    lines += [f"      from{n}: {{group: group{n}, policies: [{policies}]}}" for n in range(_GROUPS)]
    lines += [f"      to{n}: {{repository: store{n}}}" for n in range(_OWNERS)]
    lines += ["    movers:", *(f"      - {{from: from{n}, to: to{n % _OWNERS}, carries: [{carries}]}}" for n in range(_GROUPS))]
    return "\n".join(lines) + "\n"


def _source_names(nodes: int) -> list[str]:
    return [f"n{n:05}" for n in range(nodes - _OWNERS)]


class _Body:
    """One process of nodes, and what it told last."""

    def __init__(self, muster: Path, hub_address: str) -> None:
        self.last: Report | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.fleet_body", str(muster), hub_address, FLOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        threading.Thread(target=self._read, daemon=True).start()

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.last = msgspec.json.decode(line, type=Report)


@dataclass
class _Scene:
    folder: Path
    nodes: int
    processes: int
    database: str
    bodies: list[_Body] = field(default_factory=list)

    def set_up(self) -> Figures:
        """Master and machines; a few of them join by the door everybody joins by."""
        api_port, hub_port = free_ports(2)
        home = self.folder / "home"
        setup = MasterSetup(name="fleet", host="127.0.0.1", api_port=api_port, hub_port=hub_port, database=self.database)
        set_up_master(home, setup)
        base = open_foundation(load_config(home / "master"), clock=SystemClock(), entropy=SystemEntropy())
        began_s = time.perf_counter()
        names = [*(f"vault{n}" for n in range(_OWNERS)), *_source_names(self.nodes)]
        muster = enrol(base, names[: len(names) - _JOINED])
        base.database.close()
        enrolled_s = time.perf_counter() - began_s
        self.hub_address = f"127.0.0.1:{hub_port}"
        self.master = Child("master", ["master", "run", "--home", str(home)], home / "log" / "master.log")
        self.home = home
        self.start_master()
        self.client = ApiClient(load_session(home))
        joined = tuple(self._join(name) for name in names[len(names) - _JOINED :])
        self.muster = msgspec.structs.replace(muster, machines=(*muster.machines, *joined))
        return {"enrolled in bulk s": round(enrolled_s, 2), "Master before the first node": self.memory_mb()}

    def start_master(self) -> None:
        self.master.start()
        wait_until(lambda: ApiClient(load_session(self.home)).is_answered(), "the Master answers", (self.master,), 120)

    def _join(self, name: str) -> Machine:
        token = self.client.post("/nodes/tokens", {"name": name, "ttl_s": 600, "replace": False})["token"]
        key = new_key()
        made = self.client.post("/join", {"token": token, "name": name, "csr_pem": make_csr(key).decode(), "replace": False})
        return Machine(node=NodeId(made["node_id"]), name=name, key_pem=key, cert_pem=made["certificate_pem"].encode())

    def start_bodies(self) -> None:
        for n in range(self.processes):
            path = self.folder / f"muster-{n}"
            path.write_bytes(
                msgspec.msgpack.encode(msgspec.structs.replace(self.muster, machines=self.muster.machines[n :: self.processes]))
            )
            self.bodies.append(_Body(path, self.hub_address))

    def stop(self) -> None:
        for body in self.bodies:
            body.stop()
        self.master.stop()

    def say(self, line: str) -> None:
        for body in self.bodies:
            body.say(line)

    def told(self) -> list[Report]:
        return [body.last for body in self.bodies if body.last is not None]

    def all_connected(self) -> bool:
        return sum(report.connected for report in self.told()) == self.nodes

    def timed(self, work: Callable[[], object], until: Callable[[], bool]) -> float:
        began_s = time.perf_counter()
        work()
        wait_until(until, "the fleet has got there", (self.master,), _PATIENCE_S)
        return round(time.perf_counter() - began_s, 2)

    def memory_mb(self) -> float:
        return round(pss_bytes(self.master.pid) / 1e6, 1)

    def meanwhile(self, work: Callable[[], object]) -> Figures:
        """What Master and nodes use while it lasts, as cores."""
        pids = [body.process.pid for body in self.bodies]
        master_s, bodies_s, began_s = living_cpu_s([self.master.pid]), living_cpu_s(pids), time.perf_counter()
        work()
        took_s = time.perf_counter() - began_s
        return {
            "Master, of a core": round((living_cpu_s([self.master.pid]) - master_s) / took_s, 3),
            "nodes, of a core": round((living_cpu_s(pids) - bodies_s) / took_s, 3),
            "Master MB PSS": self.memory_mb(),
            "not acknowledged": sum(report.waiting for report in self.told()),
        }

    def activate(self, title: str, every_h: int) -> Figures:
        text = document(self.nodes, every_h)
        master_s, began_s = living_cpu_s([self.master.pid]), time.perf_counter()
        self.client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": ""})
        applied_s = time.perf_counter()
        report = self.client.post(f"/flows/{FLOW}/compile")
        assert report["valid"], report["diagnostics"]
        compiled_s = time.perf_counter()
        outcome = self.client.post(f"/flows/{FLOW}/activate")
        ended_s = time.perf_counter()
        states = [node["state"] for node in outcome["nodes"]]
        return {
            title: {
                "apply s": round(applied_s - began_s, 2),
                "compile s": round(compiled_s - applied_s, 2),
                "activate s, until confirmed": round(ended_s - compiled_s, 2),
                "Master CPU s, all three": round(living_cpu_s([self.master.pid]) - master_s, 2),
                "outcomes": {state: states.count(state) for state in set(states)},
                "nodes with rules of it": sum(report.confirmed for report in self.told()),
            }
        }

    def look(self, subscribers: int, seconds: float) -> Figures:
        command = [sys.executable, "-m", "bench.fleet_callers", str(self.home), FLOW, "n00001", str(subscribers), str(seconds)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        every = sorted(took for times in said["taken"].values() for took in times)
        return {
            "live MB": round(said["heard_bytes"] / 1e6, 1),
            "all ms": _ms(every),
            **{f"{kind} ms": _ms(sorted(times)) for kind, times in said["taken"].items()},
        }

    def restart(self) -> Figures:
        """Killed as by a crash, while the nodes go on telling."""
        os.kill(self.master.pid, signal.SIGKILL)
        wait_until(lambda: self.master.exit_code() is not None, "the Master is dead")
        killed_s = time.perf_counter()
        wait_until(lambda: not any(report.connected for report in self.told()), "every node has noticed")
        began_s = time.perf_counter()
        self.start_master()
        answered_s = time.perf_counter()
        wait_until(self.all_connected, "all nodes are back", (self.master,), _PATIENCE_S)
        back_s = time.perf_counter()
        cpu_s = living_cpu_s([self.master.pid])
        online = sum(node["state"] == "online" for node in all_nodes(self.client))
        return {
            "restart": {
                "down s": round(began_s - killed_s, 2),
                "until the API answers s": round(answered_s - began_s, 2),
                "until all are back s": round(back_s - began_s, 2),
                "Master CPU s until then": round(cpu_s, 2),
                "online": online,
            }
        }

    def compare_records(self) -> Figures:
        """What was told against what is written down."""
        wait_until(lambda: not any(report.working for report in self.told()), "the nodes rest", (), 60)
        wait_until(lambda: not any(report.waiting for report in self.told()), "everything is acknowledged", (), _PATIENCE_S)
        database = Database(load_config(self.home / "master").url, beside=True)
        counted = select(func.count()).select_from(EventRow).where(EventRow.code == EVENT_CODE)
        ended = select(func.count()).select_from(JobRow).where(JobRow.state == State.SUCCEEDED.value)
        events, jobs = database.run_now(lambda s: (s.scalar(counted) or 0, s.scalar(ended) or 0))
        database.close()
        told_events, told_jobs = (sum(getattr(report, kind) for report in self.told()) for kind in ("events", "jobs"))
        return {"events told": told_events, "events lost": told_events - events, "jobs told": told_jobs, "jobs not ended": told_jobs - jobs}


def _ms(ordered: list[float]) -> list[float]:
    """Median, p95, worst."""
    chosen = (statistics.median(ordered), ordered[int(len(ordered) * 0.95)], ordered[-1])
    return [round(value * 1000, 1) for value in chosen]


if __name__ == "__main__":
    main()
