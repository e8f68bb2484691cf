"""What Prometheus is told: the documented names, true values, and nothing for who may not ask. Where Prometheus is installed it scrapes."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.core.ids import JobId
from holdfast.model.jobs import Counters, Job, State, Task
from holdfast.model.metrics import API_LATENCY, OF_MASTER, OF_NODES, OF_PROCESSES
from tests.master.masters import Running, with_master
from tests.master.monitor.test_monitor import office, tell

ROOT = Path(__file__).parents[3]
NAMES = {metric.name for metric in (*OF_NODES, *OF_MASTER, *OF_PROCESSES)} | {API_LATENCY}
DASHBOARD = ROOT / "docs/grafana/holdfast.json"


async def scrape(running: Running) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = await running.http.get("/api/v1/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = list(text_string_to_metric_families(answer.text))
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def valued(found: dict[Any, float], name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


@with_master
async def test_the_master_tells_of_nodes_datasets_repositories_jobs_and_itself(running: Running) -> None:
    machines = await office(running)
    tell(machines["files1"], replicate={"state": State.FAILED, "overdue": True, "behind_runs": 3})
    node = running.nodes["files1"]
    now = running.master.base.now()
    sent = Task(name="store", state=State.SUCCEEDED, receiver="vault", counters=Counters(sent_bytes=700, read_bytes=900))
    job = Job(
        id=JobId("c" * 32),
        node=node.identity.node,
        kind="run",
        rule="files1/documents",
        datasets=("files1/documents",),
        state=State.SUCCEEDED,
        created_at=now,
        ended_at=now,
        tasks=(sent,),
    )
    await node.report(1, jobs=(job,))
    await node.until(lambda: node.received >= 1)
    await running.get("/nodes")
    running.clock.offset_s += 2
    found = await scrape(running)
    copy = {"node": "files1", "dataset": "files1/documents", "operation": "replicate", "receiver": "dr"}
    store = {**copy, "operation": "backup", "receiver": "vault"}
    assert valued(found, "holdfast_node_up", node="files1") == 1
    assert valued(found, "holdfast_dataset_overdue", **copy) == 1
    assert valued(found, "holdfast_dataset_backlog_runs", **copy) == 3
    assert valued(found, "holdfast_dataset_state", state="failed", **copy) == 1
    assert valued(found, "holdfast_dataset_state", state="failed", **store) == 0
    assert valued(found, "holdfast_dataset_last_success_timestamp_seconds", **store) == 1_767_322_800
    assert valued(found, "holdfast_datasets", standing="failed") == 1
    assert valued(found, "holdfast_hub_sessions") == 3
    assert valued(found, "holdfast_repository_stored_bytes", node="vault", repository="main") == 0
    assert valued(found, "holdfast_jobs", state="succeeded") == 1
    assert valued(found, "holdfast_dataset_sent_bytes", dataset="files1/documents", receiver="vault") == 700
    assert valued(found, "holdfast_dataset_read_bytes", dataset="files1/documents") == 900
    assert valued(found, f"{API_LATENCY}_count", activity="nodes", status="2xx") == 1
    assert valued(found, "holdfast_process_cpu_seconds_total") > 0
    told = {re.sub(f"({API_LATENCY})_(bucket|count|sum|created)$", r"\1", name) for name, _ in found}
    assert told <= NAMES


@with_master
async def test_nobody_is_told_without_the_right(running: Running) -> None:
    assert (await running.anonymous.get("/api/v1/metrics")).status_code == 401


@with_master
async def test_many_calls_with_many_names_make_no_more_series(running: Running) -> None:
    for number in range(30):
        await running.get(f"/nodes/n{number}/rules", status=404)
        await running.http.get(f"/api/v1/nothing/{number}")
    found = await scrape(running)
    activities = {dict(labels)["activity"] for name, labels in found if name == f"{API_LATENCY}_count"}
    assert activities == {"rules_of_node"}


def test_the_page_names_every_metric_and_no_other() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    assert set(re.findall(r"^\| `(holdfast_\w+)`", page, re.M)) == NAMES
    for metric in (*OF_NODES, *OF_MASTER, *OF_PROCESSES):
        assert f"| `{metric.name}` | {', '.join(metric.labels) or '-'} | {metric.text} |" in page


def test_names_follow_the_conventions() -> None:
    for metric in (*OF_NODES, *OF_MASTER, *OF_PROCESSES):
        assert re.fullmatch(r"holdfast_[a-z0-9_]+", metric.name)
        assert metric.name.endswith("_total") is (metric.kind == "counter")
        assert not any(unit in metric.name for unit in ("_ms", "_kb", "_mb", "percent"))


def test_every_expression_of_the_dashboard_names_metrics_and_labels_that_exist() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    labels = {label for metric in (*OF_NODES, *OF_MASTER, *OF_PROCESSES) for label in metric.labels} | {"instance"}
    for panel in panels:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            used = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"holdfast_\w+", target["expr"])}
            assert used, target
            assert used <= NAMES, target
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels


@with_master
async def test_promtool_finds_nothing_to_say(running: Running) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool: as root, apt-get install prometheus")
    await office(running)
    await running.get("/nodes")
    text = (await running.http.get("/api/v1/metrics")).text
    done = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_real_prometheus_scrapes_and_answers_the_dashboard(tmp_path: Path) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus: as root, apt-get install prometheus")

    async def scenario(running: Running) -> None:
        await office(running)
        await running.get("/nodes")
        text = (await running.http.get("/api/v1/metrics")).content

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            await ask_prometheus(tmp_path, server.sockets[0].getsockname()[1])

    with_master(scenario)(tmp_path / "office")


async def ask_prometheus(folder: Path, target: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "prometheus.yml"
    config.write_text(
        f"scrape_configs: [{{job_name: holdfast, scrape_interval: 1s, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    )
    words = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}")
    process = await asyncio.create_subprocess_exec("prometheus", *words, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10) as client:
            await until_scraped(client)
            for panel in json.loads(DASHBOARD.read_text())["panels"]:
                for target_ in panel["targets"]:
                    found = await client.get("/query", params={"query": target_["expr"]})
                    assert found.json()["status"] == "success", found.text
            up = (await client.get("/query", params={"query": "holdfast_node_up"})).json()["data"]["result"]
            assert {row["metric"]["node"] for row in up} == {"files1", "vault", "dr"}
    finally:
        process.terminate()
        await process.wait()


async def until_scraped(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                found = (await client.get("/query", params={"query": "up{job='holdfast'} == 1"})).json()
            except (httpx.TransportError, ValueError):
                found = {}
            if found.get("data", {}).get("result"):
                return
            await asyncio.sleep(0.1)
