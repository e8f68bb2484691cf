"""A node's metrics: on this machine alone, and only what a scrape asks for."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.core.errors import Conflict, UsageError
from holdfast.model.jobs import Finding, Severity
from holdfast.model.node_status import NodeStatus
from holdfast.model.questions import Answer, AskStatus
from holdfast.node.local.metrics_listener import MetricsListener


async def told(question: AskStatus) -> Answer:
    finding = Finding(code="low-disk", severity=Severity.ERROR, message="m")
    return NodeStatus(node="files1", generation=7, findings=(finding,))


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes = b"GET /metrics HTTP/1.1") -> tuple[bytes, str]:
    writer.write(line + b"\r\nHost: x\r\n\r\n")
    head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    return head.split(b"\r\n")[0], body.decode()


def test_a_scrape_by_tcp_and_nothing_else() -> None:
    async def main() -> None:
        listener = MetricsListener("127.0.0.1:0", "files1", told)
        await listener.start()
        try:
            status, body = await ask(*await asyncio.open_connection("127.0.0.1", listener.port))
            assert status == b"HTTP/1.1 200 OK"
            values = {sample.name: sample for family in text_string_to_metric_families(body) for sample in family.samples}
            assert values["holdfast_node_rules_generation"].value == 7
            assert values["holdfast_process_pss_bytes"].value > 0
            for line in (b"GET / HTTP/1.1", b"POST /metrics HTTP/1.1", b"GET /metricsx HTTP/1.1", b"nonsense"):
                status, _ = await ask(*await asyncio.open_connection("127.0.0.1", listener.port), line)
                assert status == b"HTTP/1.1 404 Not Found"
            with pytest.raises(Conflict, match="cannot be given"):
                await MetricsListener(f"127.0.0.1:{listener.port}", "files1", told).start()
        finally:
            await listener.stop()

    asyncio.run(main())


def test_a_scrape_by_a_private_socket(tmp_path: Path) -> None:
    async def main() -> None:
        place = tmp_path / "run" / "metrics.sock"
        listener = MetricsListener(f"unix:{place}", "files1", told)
        await listener.start()
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        status, body = await ask(*await asyncio.open_unix_connection(str(place)))
        assert status == b"HTTP/1.1 200 OK"
        assert 'holdfast_node_findings{node="files1",severity="error"} 1.0' in body
        await listener.stop()
        assert not place.exists()

    asyncio.run(main())


@pytest.mark.parametrize(
    "address", ["0.0.0.0:9742", "192.0.2.1:1", "example.net:1", ":9742", "9742", "127.0.0.1:", "[::]:1", "127.0.0.1:99999"]
)
def test_a_place_that_others_reach_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        MetricsListener(address, "files1", told)
