"""Who looks at the Master meanwhile, for `bench.fleet`: `python -m bench.fleet_callers HOME FLOW NODE SUBSCRIBERS SECONDS`.

One person with every screen of the console open: each second one request of each kind, one after the other, over kept connections (the
strip of days every 15 s, as the console does); and so many subscribers of the live events. The last line is a JSON object: kind to seconds
of each answer.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from pathlib import Path

import httpx

from holdfast.cli.home import load_session

_DAYS_S = 15.0


def asked(flow: str, node: str) -> dict[str, str]:
    return {
        "status": "/status",
        "nodes": "/nodes",
        "jobs": "/jobs?limit=100",
        "jobs of one node": f"/jobs?limit=100&node={node}",
        "log": "/logs?limit=100",
        "flows": "/flows",
        "monitor of the flow": f"/flows/{flow}/monitor",
        "rules of one node": f"/nodes/{node}/rules",
        "session": "/session",
        "environment": "/environment",
    }


async def main() -> None:
    home, flow, node, subscribers, seconds = sys.argv[1:6]
    session = load_session(Path(home))
    client = httpx.AsyncClient(
        verify=ssl.create_default_context(cadata=session.ca_pem),
        base_url=f"{session.url}/api/v1",
        headers={"Authorization": f"Bearer {session.token}"},
        timeout=60,
        limits=httpx.Limits(max_connections=None),
    )
    taken: dict[str, list[float]] = {}
    heard = [0]
    async with client:
        listening = [asyncio.create_task(_listen(client, heard)) for _ in range(int(subscribers))]
        end_s, days_at_s = time.perf_counter() + float(seconds), 0.0
        while (now_s := time.perf_counter()) < end_s:
            wanted = asked(flow, node)
            if now_s - days_at_s >= _DAYS_S:
                wanted["days"], days_at_s = "/status/days?days=30", now_s
            for kind, path in wanted.items():
                began_s = time.perf_counter()
                answer = await client.get(path)
                assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
                taken.setdefault(kind, []).append(time.perf_counter() - began_s)
            await asyncio.sleep(max(0.0, now_s + 1 - time.perf_counter()))
        for task in listening:
            assert not task.done(), task
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    print(json.dumps({"taken": taken, "heard_bytes": heard[0]}))


async def _listen(client: httpx.AsyncClient, heard: list[int]) -> None:
    async with client.stream("GET", "/events") as events:
        async for part in events.aiter_raw():
            heard[0] += len(part)


if __name__ == "__main__":
    asyncio.run(main())
