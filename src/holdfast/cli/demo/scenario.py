"""The demo's story, told step by step; exit code 0 only when all is proven equal."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.cli.client import ApiClient
from holdfast.cli.demo.data import copy_data, copy_standard_library, copy_tree, edit_data
from holdfast.cli.demo.machines import Machines
from holdfast.cli.demo.proofs import ProofFailed, expected_path, prove_by_restic, prove_by_rsync, prove_equal
from holdfast.cli.demo.report import print_report
from holdfast.cli.demo.scratch import Scratch
from holdfast.cli.output import ProgressLine, note, print_diagnostics, say
from holdfast.cli.reach import ask_agent
from holdfast.cli.waiting import wait_for_trigger
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import HoldfastError
from holdfast.core.units import format_size
from holdfast.model.questions import AskRepositoryEnv, RepositoryEnv

DOCUMENT = """\
# The demo's environment: one source, a repository, a mirror, and a second repository fed by the first.
environment: demo
nodes:
  files1: {{}}
  vault: {{}}
  dr: {{}}
repositories:
  main: {{node: vault, location: {scratch}/vault/main}}
  offsite: {{node: dr, location: {scratch}/dr/offsite}}
policies:
  documents:
    classification: {{paths: [{data}]}}
    operations:
      backup: {{every: 1h, keep: {{hourly: 24, daily: 30, monthly: 12}}}}
      replicate: {{removed: follow}}
flows:
  demo:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
      copy: {{mirror: dr, path: {scratch}/dr/mirror}}
      far: {{repository: offsite}}
    movers:
      - {{from: files, to: store, carries: [documents/backup]}}
      - {{from: files, to: copy, carries: [documents/replicate]}}
      - {{from: store, to: far, carries: [documents/backup], after: documents/backup, keep: {{monthly: 24}}}}
"""


@dataclass
class Demo:
    """One run of the demo in one scratch folder."""

    place: Scratch
    machines: Machines
    client: ApiClient

    @property
    def scratch(self) -> Path:
        return self.place.folder

    @property
    def data(self) -> Path:
        return self.scratch / "files1" / "documents"

    @property
    def mirror(self) -> Path:
        return self.scratch / "dr" / "mirror"


def run_demo(source: Path | None, keep: bool) -> int:
    """Tell the story; returns the exit code. Leaves nothing running and nothing behind, unless `keep`; after a failure the folder stays."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    scratch = Scratch.make()
    machines = Machines(scratch.folder)
    began = time.monotonic()
    done = False
    try:
        demo = _set_up(scratch, machines, source)
        records = _tell(demo)
        print_report(records)
        say(f"\nAll of it is proven equal: {time.monotonic() - began:.0f} seconds.")
        done = True
        if keep:
            scratch.settle()
            _say_how_to_look_around(demo)
        return 0
    finally:
        if not (keep and done):
            machines.stop()
        if not done:
            note(f"the demo did not end well; its folder stays for a look at the logs: {scratch.folder}")
        elif not keep:
            scratch.remove()


def _set_up(scratch: Scratch, machines: Machines, source: Path | None) -> Demo:
    say(f"1. A Master and three nodes, each its own process, in {scratch.folder}")
    client = machines.start_master("demo")
    say(f"   Master and its console at {client.url}")
    for name in ("files1", "vault", "dr"):
        machines.start_node(name, is_bounded=True)
        say(f"   {name} has joined with a one-time token; what may be read and written there is bounded")
    machines.wait_for_nodes({"files1", "vault", "dr"})
    demo = Demo(scratch, machines, client)
    count = copy_standard_library(demo.data) if source is None else copy_data(source, demo.data)
    say(f"   data: a copy of {source or 'the Python standard library'} ({count} files); the original is not touched")
    return demo


def _tell(demo: Demo) -> list[dict[str, Any]]:
    """The steps between set-up and report; returns the trigger records of the two runs."""
    _activate(demo)
    say("\n3. First run: read once, sent once to each receiver, stored once")
    first = _run(demo)
    before = demo.scratch / "before-the-edit"
    copy_tree(demo.data, before)
    _prove_read_once(first, before)
    say(f"\n4. Edit the data: {edit_data(demo.data).sentence()}; second run")
    second = _run(demo)
    say("\n5. Proofs")
    _prove_restores(demo, [before, demo.data])
    demo.place.discard(before)
    say("   " + prove_equal(demo.data, demo.mirror, "mirror on dr"))
    say("   " + prove_by_rsync(demo.data, demo.mirror))
    for name, owner in (("main", "vault"), ("offsite", "dr")):
        env = ask_agent(demo.machines.home(owner), AskRepositoryEnv(repository=name))
        assert isinstance(env, RepositoryEnv)
        for line in prove_by_restic(name, env, demo.data, demo.place):
            say("   " + line)
    return [first, second]


def _activate(demo: Demo) -> None:
    say("\n2. Draw, compile, activate")
    text = DOCUMENT.format(scratch=demo.scratch, data=demo.data)
    planned = demo.client.post("/environment/plan", {"text": text})
    print_diagnostics([d for d in planned["diagnostics"] if d["level"] == "error"])
    demo.client.put("/environment", {"text": text, "base_revision": planned["revision"], "accept_removals": True, "comment": "demo"})
    activation = demo.client.post("/flows/demo/activate")
    if not activation["valid"] or activation["rolled_back"]:
        print_diagnostics(activation["diagnostics"])
        raise HoldfastError(f"the demo's flow was not activated: {activation['nodes']}")
    for line in activation["summary_text"].rstrip().splitlines():
        say("   " + line)
    say("   " + ", ".join(f"{node['node']}: rules {node['state']}" for node in activation["nodes"]))


def _run(demo: Demo) -> dict[str, Any]:
    began = now(SystemClock()).isoformat()
    started = demo.client.post("/flows/demo/trigger", {"policy": "", "operation": "", "accept": False})
    record = wait_for_trigger(demo.client, started["trigger"])
    if record["state"] != "succeeded":
        errors = [job.get("error") or job.get("findings") for job in record["jobs"]]
        raise HoldfastError(f"the run ended {record['state']}: {record.get('problems')} {errors}")
    say(f"   {len(record['jobs'])} jobs, all acknowledged")
    return {**record, "jobs": _jobs_since(demo, began)}


def _jobs_since(demo: Demo, began: str) -> list[dict[str, Any]]:
    """All that moved data since then: a cascade that started by itself when its points arrived belongs to the run, too."""
    jobs = [job for job in demo.client.get("/jobs", limit=1000)["jobs"] if job["created_at"] >= began]
    return sorted((job for job in jobs if any(_moved(task) for task in job.get("tasks") or [])), key=lambda job: str(job["created_at"]))


def _moved(task: dict[str, Any]) -> bool:
    return any((task.get("counters") or {}).values())


def _prove_read_once(record: dict[str, Any], state: Path) -> None:
    there = sum(path.stat().st_size for path in state.rglob("*") if path.is_file() and not path.is_symlink())
    read = sum(t["counters"]["read_bytes"] for job in record["jobs"] for t in job.get("tasks") or [] if t.get("counters"))
    say(f"   the data is {format_size(there)}; read from the source for both receivers together: {format_size(read)}")
    if read > there * 1.01:
        raise ProofFailed(f"the source was read more than once: {read} bytes of {there}")


def _prove_restores(demo: Demo, states: list[Path]) -> None:
    """Both moments, from the first repository and from the cascade."""
    for repository in ("main", "offsite"):
        points = demo.client.get("/points", repository=repository)["points"]
        points = sorted((p for p in points if p["operation"] == "backup"), key=lambda p: p["time"])
        if len(points) != len(states):
            raise ProofFailed(f"{repository} holds {len(points)} points instead of {len(states)}")
        for number, (point, state) in enumerate(zip(points, states, strict=True), start=1):
            target = demo.scratch / f"restored-{repository}-{number}"
            body = {"point": point["id"], "to": str(target), "node": "files1", "repository": repository}
            record = wait_for_trigger(demo.client, demo.client.post("/restores", body)["trigger"])
            if record["state"] != "succeeded":
                raise ProofFailed(f"restore of {repository} moment {number} ended {record['state']}: {record['jobs']}")
            say("   " + prove_equal(state, target / expected_path(demo.data), f"moment {number} restored from {repository}"))
            demo.place.discard(target)


def _say_how_to_look_around(demo: Demo) -> None:
    ProgressLine().clear()
    code = demo.client.post("/session/links")["code"]
    say("\nEverything stays up. The console, with the flow of the demo:")
    say(f"  {demo.client.url}/flows/demo/monitor#signin={code}")
    say("  The link signs your browser in: once, within 10 minutes; `holdfast console` prints a new one. The browser asks about the")
    say("  certificate, because it is the demo's own: go on.")
    say("\nOr on the command line:")
    say(f"  export HOLDFAST_HOME={demo.machines.home('master')}")
    say("  holdfast status; holdfast points; holdfast find '*.py'; holdfast trigger demo --wait")
    say(f'  eval "$(holdfast repository env main --home {demo.machines.home("vault")})"; restic snapshots')
    pids = " ".join(str(child.pid) for child in demo.machines.children)
    say(f"Stop it with: kill {pids}; rm -r {demo.scratch}")
