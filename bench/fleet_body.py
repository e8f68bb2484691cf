"""A process of simulated nodes for `bench.fleet`: `python -m bench.fleet_body MUSTER HUB_ADDRESS FLOW`.

`MUSTER` is a file (`testing.fleet.Muster` as msgpack). Standard input: a line `work N` begins telling N records a second, `rest` ends it.
Standard output: a `Report` as a line of JSON four times a second.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.testing.fleet import Fleet, Muster

_REPORT_S = 0.25


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`confirmed`: nodes that have rules of the flow in force. `generations`: sum of the generations of those. `welcomes`: all ever.
    `waiting`: records the Master has not acknowledged; `events` and `jobs`: all ever told. `working`: it is telling."""

    connected: int
    confirmed: int
    generations: int
    welcomes: int
    waiting: int
    events: int
    jobs: int
    working: bool


async def main() -> None:
    muster_file, hub_address, flow = sys.argv[1:4]
    muster = msgspec.msgpack.decode(Path(muster_file).read_bytes(), type=Muster)
    fleet = Fleet(muster, hub_address, clock=SystemClock(), entropy=SystemEntropy())
    fleet.start()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    reporting = asyncio.create_task(_report(fleet, flow, work := _Work(fleet)))
    while line := (await reader.readline()).decode().split():
        await work.stop()
        if line[0] == "work":
            work.start(float(line[1]))
    reporting.cancel()
    await work.stop()
    await fleet.close()


class _Work:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._stop = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self, records_s: float) -> None:
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(self._fleet.work(records_s, self._stop))

    async def stop(self) -> None:
        self._stop.set()
        if self.task is not None:
            await self.task
        self.task = None


async def _report(fleet: Fleet, flow: str, work: _Work) -> None:
    while True:
        report = Report(
            connected=fleet.connected,
            confirmed=fleet.confirmed(flow),
            generations=sum(node.rules.generation for node in fleet.nodes if node.rules is not None),
            welcomes=sum(node.welcomes for node in fleet.nodes),
            waiting=fleet.waiting,
            events=fleet.events_told,
            jobs=fleet.jobs_told,
            working=work.task is not None,
        )
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.flush()
        await asyncio.sleep(_REPORT_S)


if __name__ == "__main__":
    asyncio.run(main())
