"""The main job beside its peers on the same data in the same run: first backup, nothing changed, restore; printed as ratios.

`python bench/main_job.py [FOLDER] [--json FILE]`. The corpus is copied to the scratch folder first; one tool at a time. Ours is measured
through the command line with Master, source and repository node as separate processes, over gRPC; CPU seconds count all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.cli.demo.data import copy_data
from holdfast.cli.demo.machines import Machines
from holdfast.cli.waiting import wait_for_trigger

DOCUMENT = """\
environment: bench
nodes: {{source: {{}}, vault: {{}}}}
repositories: {{main: {{node: vault, location: {folder}/store}}}}
policies:
  data: {{classification: {{paths: [{folder}/data]}}, operations: {{backup: {{every: 30d, keep: {{last: 100}}}}}}}}
flows:
  bench:
    vertices: {{from: {{node: source, policies: [data]}}, to: {{repository: main}}}}
    movers: [{{from: from, to: to, carries: [data/backup]}}]
"""


@dataclass(frozen=True)
class Figure:
    """Wall and CPU seconds of one piece of work."""

    wall_s: float
    cpu_s: float


def measure(work: Callable[[], None], cpu_s: Callable[[], float]) -> Figure:
    cpu, began = cpu_s(), time.perf_counter()
    work()
    return Figure(time.perf_counter() - began, cpu_s() - cpu)


def children_cpu_s() -> float:
    """CPU seconds of all finished children."""
    times = os.times()
    return times.children_user + times.children_system


def tree_cpu_s(pids: list[int]) -> float:
    """CPU seconds so far of living processes and everything below them."""
    return sum(_process_cpu_s(pid) for pid in _with_descendants(pids))


def _process_cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _with_descendants(pids: list[int]) -> set[int]:
    found = set(pids)
    for pid in pids:
        tasks = Path(f"/proc/{pid}/task")
        for children in tasks.glob("*/children"):
            found |= _with_descendants([int(child) for child in children.read_text().split()])
    return found


def bench_holdfast(folder: Path) -> dict[str, Figure]:
    machines = Machines(folder / "machines")
    try:
        client = machines.start_master("bench")
        for name in ("source", "vault"):
            machines.start_node(name)
        machines.wait_for_nodes({"source", "vault"})
        text = DOCUMENT.format(folder=folder)
        client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": ""})
        # Activation makes the first run due at once; it is the first backup that is measured.
        pids = [child.pid for child in machines.children]

        def run() -> None:
            record = wait_for_trigger(client, client.post("/flows/bench/trigger", {})["trigger"])
            assert record["state"] == "succeeded", record

        def first() -> None:
            assert client.post("/flows/bench/activate")["valid"]
            run()

        def restore() -> None:
            point = client.get("/points", repository="main")["points"][-1]
            body = {"point": point["id"], "to": str(folder / "restored"), "node": "source"}
            record = wait_for_trigger(client, client.post("/restores", body)["trigger"])
            assert record["state"] == "succeeded", record

        return {
            name: measure(work, lambda: tree_cpu_s(pids)) for name, work in (("first", first), ("unchanged", run), ("restore", restore))
        }
    finally:
        machines.stop()


def bench_restic(folder: Path) -> dict[str, Figure]:
    environment = {
        **os.environ,
        "RESTIC_REPOSITORY": str(folder / "restic"),
        "RESTIC_PASSWORD": "x",
        "RESTIC_CACHE_DIR": str(folder / "cache"),
    }

    def restic(*arguments: str) -> None:
        subprocess.run(["restic", "--quiet", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)

    restic("init")
    work = {
        "first": lambda: restic("backup", str(folder / "data")),
        "unchanged": lambda: restic("backup", str(folder / "data")),
        "restore": lambda: restic("restore", "latest", "--target", str(folder / "restic-restored")),
    }
    return {name: measure(job, children_cpu_s) for name, job in work.items()}


def stored_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(sysconfig.get_paths()["stdlib"]))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir=base))
    try:
        files = copy_data(options.folder.absolute(), folder / "data")
        size = stored_bytes(folder / "data")
        ours, theirs = bench_holdfast(folder), bench_restic(folder)
        result = {
            "files": files,
            "bytes": size,
            "stored": {"holdfast": stored_bytes(folder / "store"), "restic": stored_bytes(folder / "restic")},
            "seconds": {name: {"holdfast": vars(ours[name]), "restic": vars(theirs[name])} for name in ours},
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{files} files, {size / 1e6:.0f} MB, on {base or 'disk'}")
    for name in ours:
        wall, cpu = ours[name].wall_s / theirs[name].wall_s, ours[name].cpu_s / max(theirs[name].cpu_s, 0.01)
        print(f"{name:<10} wall {ours[name].wall_s:6.2f} s = {wall:5.2f} x restic   CPU {ours[name].cpu_s:6.2f} s = {cpu:5.2f} x restic")
    stored = result["stored"]
    print(f"stored     {stored['holdfast'] / 1e6:.1f} MB = {stored['holdfast'] / stored['restic']:.3f} x restic")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
