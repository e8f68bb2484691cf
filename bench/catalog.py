"""Measure the catalog at scale: `python -m bench.catalog [--versions 1000000 3000000 10000000] [--points 5000] [--rebuild 1000000]`.

For each number of versions a repository with so many points is made whose catalog holds them, and asked through `Repository` as people
ask: with the look for new snapshots in the store that every question begins with. Times are the median and the worst of several questions
and the median of their CPU time, in milliseconds. The rebuild stores a tree of so many files by the write path, throws the catalog away
and opens the repository again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

from holdfast.backend.backend import FileType
from holdfast.core.clock import ns_of
from holdfast.core.ids import DatasetId, Epoch, PointId
from holdfast.delivery.ports import Action
from holdfast.model.change import Begin, Commit, Cursor, Mark, Put, Segment
from holdfast.model.entry import ChunkRef, Entry, Kind
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing
from holdfast.model.stream import offered_by
from holdfast.repository._format.snapshot import Snapshot, encode_snapshot
from holdfast.repository._format.text import time_text
from holdfast.repository.catalog.version_table import Ended, NewVersion
from holdfast.repository.facts import Facts, tags_of
from holdfast.repository.interior import Interior
from holdfast.repository.points.sealing import forget
from holdfast.repository.repository import Repository
from holdfast.testing.feeding import PlainChunk
from holdfast.testing.repository_scene import DATASET, SENDER, START, RepositoryScene

FILES_IN_FOLDER = 20
VERSIONS_OF_A_FILE = 5
HOT = b"/srv/data/hot.log"
_EPOCH = Epoch("e" * 32)
_BATCH = 2_000
_SYLLABLES = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "ul", "an", "er")]
_ENDINGS = (".c", ".h", ".txt", ".py", ".jpg", ".pdf", ".json", "")


def word(number: int) -> str:
    number = number * 2_654_435_761 % (1 << 32)
    return "".join(_SYLLABLES[number >> shift & 0x3F] for shift in (0, 6, 12))


def path_of(number: int) -> bytes:
    """Of the file of this number: four folders deep, about every second name its own."""
    folder = number // FILES_IN_FOLDER
    ending = _ENDINGS[number % len(_ENDINGS)]
    name = f"{word(number)}{ending}" if number % 2 else f"{word(number % 9973)}_{word(number)}{number % 1000}{ending}"
    above = f"{word(folder // 2500)}{folder // 2500}/{word(folder // 50)}{folder // 50 % 50}/{word(folder)}{folder % 50}"
    return f"/srv/data/{above}/{name}".encode()


def folders_of(number: int) -> list[bytes]:
    """The folders that the file of this number is the first in."""
    path, found = path_of(number), []
    for depth, files in ((3, 50 * 50 * FILES_IN_FOLDER), (4, 50 * FILES_IN_FOLDER), (5, FILES_IN_FOLDER)):
        if number % files == 0:
            found.append(b"/".join(path.split(b"/")[: depth + 1]))
    return found


def entry(path: bytes, kind: Kind = Kind.FILE, state: int = 0, chunks: tuple[ChunkRef, ...] = ()) -> Entry:
    return Entry(
        path=path,
        kind=kind,
        mode=0o755 if kind is Kind.DIRECTORY else 0o644,
        uid=1000,
        gid=1000,
        user="files",
        group="files",
        size_bytes=sum(chunk.size_bytes for chunk in chunks) if chunks else 4096 + state if kind is Kind.FILE else 0,
        mtime_ns=ns_of(START) + state * 3_600_000_000_123,
        inode=state + 1,
        chunks=chunks,
    )


def first_state(files: int) -> Iterator[Entry]:
    """In walk order as far as folders go."""
    for top in (b"/srv", b"/srv/data"):
        yield entry(top, Kind.DIRECTORY)
    yield entry(HOT)
    for number in range(files):
        for folder in folders_of(number):
            yield entry(folder, Kind.DIRECTORY)
        yield entry(path_of(number))


@dataclass
class Population:
    """A dataset that lives: most changes change a file, some make a new one or remove one; one file changes in every commit."""

    files: int
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    gone: set[int] = field(default_factory=set)

    def changes(self, commit: int, count: int) -> tuple[list[Ended], list[NewVersion]]:
        ended: list[Ended] = []
        new = [NewVersion(entry(HOT, state=commit), True)]
        touched: set[int] = set()
        while len(new) + len(ended) < count:
            number = self.chance.randrange(self.files)
            if number in touched:
                continue
            touched.add(number)
            turn = self.chance.random()
            if turn < 0.04 and number not in self.gone:
                self.gone.add(number)
                ended.append(Ended(path_of(number)))
            elif turn < 0.14:
                new += [NewVersion(entry(folder, Kind.DIRECTORY, commit), False) for folder in folders_of(self.files)]
                new.append(NewVersion(entry(path_of(self.files), state=commit), False))
                self.files += 1
            else:
                new.append(NewVersion(entry(path_of(number), state=commit), number not in self.gone))
                self.gone.discard(number)
        return ended, new


def fill(interior: Interior, versions: int, points: int) -> dict[str, float]:
    """Commits with their snapshots, as sessions write them but for packs."""
    dataset = interior.catalog.number_of("datasets", DATASET)
    files = versions // VERSIONS_OF_A_FILE
    population = Population(files)
    each = (versions - files) // (points - 1)
    began_s, rows, first_s = time.perf_counter(), 0, 0.0
    for number in range(1, points + 1):
        commit_no = interior.commits.open(dataset, number, Cursor(epoch=_EPOCH, seq=number))
        if number == 1:
            for batch in batches(first_state(files)):
                interior.versions.record(dataset, commit_no, [], [NewVersion(found, False) for found in batch])
                rows += len(batch)
            first_s = rows / (time.perf_counter() - began_s)
        else:
            ended, new = population.changes(number, each)
            interior.versions.record(dataset, commit_no, ended, new)
            rows += len(new)
        seal(interior, dataset, commit_no, number)
    taken_s = time.perf_counter() - began_s
    return {
        "first commit, rows/s": round(first_s),
        "later commits, rows/s": round((rows - files) / (taken_s - files / first_s)),
        "versions": rows,
    }


def batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    for found in entries:
        batch.append(found)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def seal(interior: Interior, dataset: int, commit_no: int, number: int) -> None:
    captured_at = START + timedelta(hours=number)
    tree = sha256(b"tree %d" % number).digest()
    facts = Facts(
        dataset=DATASET,
        label="files1/documents",
        operation="backup",
        kind="backup",
        point=PointId(sha256(b"point %d" % number).hexdigest()[:32]),
        epoch=_EPOCH,
        seq=number,
        sender=SENDER,
        ordinal=number,
    )
    snapshot = Snapshot(
        time=time_text(ns_of(captured_at)),
        tree=tree.hex(),
        paths=("/srv/data",),
        hostname="files1",
        username="holdfast",
        tags=tags_of(facts),
    )
    with interior.catalog.transaction():
        snapshot_id = interior.storage.save_document(FileType.SNAPSHOT, encode_snapshot(snapshot))
        interior.commits.add_snapshot(snapshot_id, snapshot, dataset, commit_no)
        interior.commits.seal(commit_no, ns_of(captured_at), tree)


def timed(ask: Callable[[int], object], times: int = 15) -> str:
    """Each time another question; the first is thrown away."""
    wall_ms, cpu_ms = [], []
    for number in range(times + 1):
        began_s, cpu_s = time.perf_counter(), time.process_time()
        ask(number)
        wall_ms.append((time.perf_counter() - began_s) * 1000)
        cpu_ms.append((time.process_time() - cpu_s) * 1000)
    return f"{statistics.median(wall_ms[1:]):.1f}, worst {max(wall_ms[1:]):.1f}, CPU {statistics.median(cpu_ms[1:]):.1f}"


def questions(repository: Repository, files: int, points: int) -> dict[str, str]:
    def at(number: int) -> datetime:
        return START + timedelta(hours=1 + number * 7919 % points)

    def some(number: int) -> bytes:
        return path_of(number * 104_729 % files)

    def name(number: int) -> str:
        return some(number).rpartition(b"/")[2].decode()

    def find(pattern: str, *, ignore_case: bool = False) -> object:
        found = repository.find(AskFind(pattern=pattern, ignore_case=ignore_case)).rows
        assert found, pattern
        return found

    folder = AskListing(dataset=DATASET, path=b"/srv/data")
    return {
        "folder of 20 at a time": timed(
            lambda n: repository.listing(AskListing(dataset=DATASET, at=at(n), path=some(n).rpartition(b"/")[0]))
        ),
        "folder with the hot file": timed(lambda n: repository.listing(AskListing(dataset=folder.dataset, at=at(n), path=folder.path))),
        "find by name": timed(lambda n: find(name(n))),
        "find NAME*": timed(lambda n: find(name(n)[:9] + "*")),
        "find *PART*": timed(lambda n: find("*" + name(2 * n)[3:12] + "*")),
        "find *PART*, any case": timed(lambda n: find("*" + name(2 * n)[3:12].upper() + "*", ignore_case=True)),
        "find *.c (1,000 of very many)": timed(lambda n: find("*.c")),
        "find FOLDER/*": timed(lambda n: find(some(n).split(b"/")[-2].decode() + "/*")),
        "find /PATH/*.h": timed(lambda n: find(some(n).rpartition(b"/")[0].decode() + "/*.h")),
        "history of a file": timed(lambda n: repository.history(AskHistory(path=some(n)))),
        "history of the hot file (newest 1,000)": timed(lambda n: repository.history(AskHistory(path=HOT))),
        "points": timed(lambda n: repository.points(), 5),
        "one point by its id": timed(lambda n: repository.point(sha256(b"point %d" % (n + 1)).hexdigest()[:12])),
    }


def measure_questions(versions: int, points: int, results: list[dict[str, object]]) -> None:
    with scratch() as folder:
        scene = RepositoryScene(folder)
        scene.create()
        repository = scene.open()
        interior = repository._interior
        found: dict[str, object] = {"asked": versions, **fill(interior, versions, points)}
        began_s = time.perf_counter()
        interior.names.catch_up()
        found["names made searchable, s"] = round(time.perf_counter() - began_s, 1)
        repository.close()
        catalog = scene.home / "catalog.db"
        found["bytes per version"] = round(catalog.stat().st_size / int(str(found["versions"])))
        found["of that"] = shares(catalog, int(str(found["versions"])))
        began_s = time.perf_counter()
        repository = scene.open()
        found["open, s"] = round(time.perf_counter() - began_s, 2)
        found.update(questions(repository, versions // VERSIONS_OF_A_FILE, points))
        found["forget every fifth point, s"] = forgetting(repository, points // 5)
        found["peak memory, MB"] = peak_memory_mb()
        repository.close()
        results.append(found)


def forgetting(repository: Repository, count: int) -> float:
    interior = repository._interior
    rows = interior.commits.listed()
    going = [row.id for number, row in enumerate(rows) if number % 5 == 1][:count]
    began_s = time.perf_counter()
    with interior.catalog.transaction():
        forget(interior, going)
    return round(time.perf_counter() - began_s, 2)


def shares(catalog: Path, versions: int) -> dict[str, int]:
    """Bytes per version of each table and index that takes any."""
    database = sqlite3.connect(catalog)
    sizes = database.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 12").fetchall()
    database.close()
    return {name: round(size / versions) for name, size in sizes if size >= versions}


def measure_rebuild(files: int, equal: bool, results: list[dict[str, object]]) -> None:
    with scratch() as folder:
        scene = RepositoryScene(folder)
        scene.create()
        repository = scene.open()
        began_s = time.perf_counter()
        store(scene.action(repository), files, equal=equal)
        stored_s = time.perf_counter() - began_s
        repository.close()
        for left in scene.home.glob("catalog.db*"):
            left.unlink()
        child = get_context("spawn").Process(target=rebuild, args=(folder, files))
        child.start()
        child.join()
        assert child.exitcode == 0
        taken = json.loads((folder / "rebuilt").read_text())
        results.append(
            {"entries": files, "contents": "all equal" if equal else "each its own", "stored in, s": round(stored_s, 1), **taken}
        )


def rebuild(folder: Path, files: int) -> None:
    began_s, cpu_s = time.perf_counter(), time.process_time()
    repository = RepositoryScene(folder).open()
    taken = {"rebuilt in, s": round(time.perf_counter() - began_s, 1), "CPU, s": round(time.process_time() - cpu_s, 1)}
    assert not repository.problems
    assert repository.find(AskFind(pattern=path_of(files - 1).rpartition(b"/")[2].decode())).rows
    peak = peak_memory_mb()
    (folder / "rebuilt").write_text(json.dumps({**taken, "peak memory, MB": peak}))
    repository.close()


def store(action: Action, files: int, *, equal: bool) -> None:
    """One full commit by the write path."""
    action.cursor()
    action.begin(Begin(dataset=DATASET, label="x", epoch=_EPOCH, seq=1, base=None, roots=(b"/srv/data",), hostname="files1"))
    for number, batch in enumerate(batches(in_walk_order(files))):
        plains: dict[bytes, bytes] = {}
        changes = []
        for place, found in enumerate(batch):
            if found.kind is Kind.FILE:
                plain = b"equal" if equal else b"content %d" % (number * _BATCH + place)
                chunk = ChunkRef(sha256(plain).digest(), len(plain))
                plains[chunk.id] = plain
                found = entry(found.path, chunks=(chunk,))
            changes.append(Put(found))
        bare = Segment(number=number, changes=tuple(changes))
        segment = Segment(number=number, changes=bare.changes, offered=offered_by(bare, set()))
        wanted = action.wanted(segment)
        action.apply(segment, {chunk: PlainChunk(chunk, plains[chunk]) for chunk in wanted}, frozenset())
    point = Mark(operation="backup", kind="backup", point=PointId("f" * 32))
    action.commit(
        Commit(dataset=DatasetId(DATASET), epoch=_EPOCH, seq=1, captured_at=datetime(2026, 1, 1, tzinfo=UTC), marks=(point,), files=files)
    )
    action.close()


def in_walk_order(files: int) -> Iterator[Entry]:
    """Folders of a level in the order of their names, which the write path wants; the rest as `first_state`."""
    yield entry(b"/srv", Kind.DIRECTORY)
    yield entry(b"/srv/data", Kind.DIRECTORY)
    by_folder: dict[bytes, list[int]] = {}
    for number in range(0, files, FILES_IN_FOLDER):
        by_folder.setdefault(path_of(number).rpartition(b"/")[0], []).append(number)
    above: bytes = b""
    last: list[bytes] = []
    for folder in sorted(by_folder, key=lambda path: path.split(b"/")):
        parts = folder.split(b"/")
        for depth in range(4, len(parts) + 1):
            above = b"/".join(parts[:depth])
            if above not in last:
                yield entry(above, Kind.DIRECTORY)
        last = [b"/".join(parts[:depth]) for depth in range(4, len(parts) + 1)]
        numbers = [number for first in by_folder[folder] for number in range(first, min(first + FILES_IN_FOLDER, files))]
        yield from (entry(path) for path in sorted({path_of(number) for number in numbers}))


def peak_memory_mb() -> int:
    """Of this process. `getrusage` would count what its parent had when it was made."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1000


class scratch:  # noqa: N801
    """A folder in memory that goes at the end."""

    def __enter__(self) -> Path:
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self._path = Path(tempfile.mkdtemp(prefix="holdfast-catalog-", dir=base))
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.catalog", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, nargs="*", default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--points", type=int, default=5_000)
    parser.add_argument("--rebuild", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: list[dict[str, object]] = []
    for versions in options.versions:
        measure_questions(versions, options.points, results)
        print(json.dumps(results[-1], indent=2), flush=True)
    for files in options.rebuild:
        for equal in (True, False):
            measure_rebuild(files, equal, results)
            print(json.dumps(results[-1], indent=2), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
