"""Measure small commits into a large mirror: `python -m bench.mirror [--entries 1000000] [--commits 200] [--folder FOLDER]`.

The records of so many files are made directly; of the files themselves only those that are touched stand there. Each commit brings one
changed file of 4 KiB, as a session that stays open does. Then a folder of 2,000 files is renamed, with the hint of the source and without.
Times in milliseconds; memory is the growth of the process over all commits, in MB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from holdfast.core.clock import SystemClock
from holdfast.core.ids import ActionId, DatasetId, Epoch, NodeId
from holdfast.mirror.mirror import Mirror, MirrorStore
from holdfast.mirror.records import Records
from holdfast.mirror.rows import Fingerprint
from holdfast.model.change import Begin, Change, Commit, Cursor, Move, Put, Remove
from holdfast.model.entry import ChunkRef, Entry, Kind, walk_key
from holdfast.model.rules import MirrorAction, Receive
from holdfast.testing.feeding import Feeder, PlainChunk, chunk_id, segment_of

_DATASET, _EPOCH, _ROOT = DatasetId("d" * 32), Epoch("e" * 32), b"/srv/data"
_IN_FOLDER = 100
_TOUCHED = 50


def fill(records: Records, entries: int) -> None:
    """Files that only the records know of."""
    for folder in range(entries // _IN_FOLDER):
        path = b"%b/other/%06d" % (_ROOT, folder)
        records.stage(walk_key(path), "put", Entry(path=path, kind=Kind.DIRECTORY, mode=0o755))
        for number in range(_IN_FOLDER):
            name = b"%b/file-%03d" % (path, number)
            ref = ChunkRef(sha256(name).digest(), 3_000)
            key = walk_key(name)
            n = records.new_file(key, Fingerprint(3_000, 1, 1, folder * _IN_FOLDER + number))
            records.add_chunks(n, [(ref.id, 0, 3_000)])
            records.stage(key, "put", Entry(path=name, kind=Kind.FILE, mode=0o644, size_bytes=3_000, chunks=(ref,)), n)
        if folder % 500 == 499:
            records.merge_staged(full=False)
            records.save()
    records.merge_staged(full=False)
    records.save()


class Scene:
    """A mirror with real files in `live/` and many more in its records."""

    def __init__(self, place: Path, entries: int) -> None:
        self.target = place / "mirrors" / "copy"
        rule = MirrorAction(id=ActionId("a" * 32), targets=((os.fsdecode(_ROOT), str(self.target)),))
        receive = Receive(dataset=_DATASET, label="bench", sender=NodeId("n" * 32), actions=(rule,))
        self.feeder = Feeder(_DATASET, (_ROOT,), {})
        self.seq = 0
        self._open = lambda: MirrorStore(place / "home").open_mirror(rule, receive, clock=SystemClock())
        mirror = self._open()
        folders = [b"/srv", _ROOT, _ROOT + b"/live", _ROOT + b"/many"]
        changes: list[Change] = [Put(Entry(path=path, kind=Kind.DIRECTORY, mode=0o755)) for path in folders]
        self.many = {number: os.urandom(3_000) for number in range(2_000)}
        changes += [self.put(b"/many/%05d" % number, data) for number, data in self.many.items()]
        self.commit(mirror, changes, full=True)
        mirror.close()
        records = Records(os.fsencode(place / "mirrors" / ".holdfast-copy" / "mirror.db"))
        fill(records, entries)
        records.close()
        self.mirror = self._open()
        self.feeder.continuous = True

    def put(self, tail: bytes, data: bytes) -> Put:
        ref = ChunkRef(chunk_id(data), len(data))
        self.feeder.chunks[ref.id] = data
        mtime_ns = int.from_bytes(ref.id[:4], "big")
        return Put(Entry(path=_ROOT + tail, kind=Kind.FILE, mode=0o644, size_bytes=len(data), mtime_ns=mtime_ns, chunks=(ref,)))

    def commit(self, mirror: Mirror, changes: Sequence[Change], *, full: bool = False, moves: tuple[Move, ...] = ()) -> int:
        """How many bytes travelled."""
        base = None if full else Cursor(_EPOCH, self.seq)
        self.seq += 1
        travelled = 0
        mirror.begin(
            Begin(dataset=_DATASET, label="bench", epoch=_EPOCH, seq=self.seq, base=base, roots=(_ROOT,), hostname="h", moves=moves)
        )
        for start in range(0, len(changes), 1_000):
            segment = segment_of(start // 1_000, changes=tuple(changes[start : start + 1_000]))
            wanted = mirror.wanted(segment)
            given = {one: PlainChunk(one, self.feeder.chunks[one]) for one in wanted}
            travelled += sum(chunk.size_bytes for chunk in given.values())
            mirror.apply(segment, given, frozenset())
        self.feeder.epoch, self.feeder.seq = _EPOCH, self.seq
        done: Commit = self.feeder.commit()
        answer = mirror.commit(done)
        assert answer.cursor == Cursor(_EPOCH, self.seq), answer
        return travelled

    def rename(self, old: bytes, new: bytes, *, hint: bool) -> dict[str, object]:
        changes: list[Change] = [Remove(_ROOT + old), *(Remove(b"%b%b/%05d" % (_ROOT, old, number)) for number in self.many)]
        changes.append(Put(Entry(path=_ROOT + new, kind=Kind.DIRECTORY, mode=0o755)))
        changes += [self.put(b"%b/%05d" % (new, number), data) for number, data in self.many.items()]
        changes.sort(key=lambda change: walk_key(change.path if isinstance(change, Remove) else change.entry.path))
        started = time.perf_counter()
        travelled = self.commit(self.mirror, changes, moves=(Move(_ROOT + old, _ROOT + new),) if hint else ())
        return {"ms": round((time.perf_counter() - started) * 1e3), "travelled bytes": travelled}


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(place: Path, entries: int, commits: int) -> dict[str, object]:
    scene = Scene(place, entries)
    chance = random.Random(7)
    walls, cpus, before = list[float](), list[float](), 0.0
    for number in range(commits + _TOUCHED):
        change = scene.put(b"/live/%03d" % (number % _TOUCHED), chance.randbytes(4_096))
        started, cpu = time.perf_counter(), time.process_time()
        scene.commit(scene.mirror, [change])
        if number >= _TOUCHED:
            walls.append((time.perf_counter() - started) * 1e3)
            cpus.append((time.process_time() - cpu) * 1e3)
        else:
            before = resident_mb()
    found: dict[str, object] = {
        "entries": entries,
        "commit ms, median": round(statistics.median(walls), 1),
        "commit ms, 95th percentile": round(sorted(walls)[int(len(walls) * 0.95)], 1),
        "cpu ms, median": round(statistics.median(cpus), 1),
        "memory growth MB": round(resident_mb() - before, 1),
        "renamed with hint": scene.rename(b"/many", b"/moved", hint=True),
        "renamed without": scene.rename(b"/moved", b"/many", hint=False),
    }
    scene.mirror.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--entries", type=int, nargs="*", default=[1_000, 1_000_000])
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=None, help="where, on which disk (default: the folder for temporary files)")
    given = parser.parse_args()
    for entries in given.entries:
        place = Path(tempfile.mkdtemp(dir=given.folder))
        try:
            print(json.dumps(measure(place, entries, given.commits), indent=1), flush=True)
        finally:
            shutil.rmtree(place)


if __name__ == "__main__":
    main()
