"""A source whose files were archived: the versions in the lineage on another machine, stubs in their places, and a recall worker."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.host.mountpoint import kind_at
from holdfast.model.archiving import Stub, ToArchive, Verdict, digest_of, stub_target
from holdfast.model.entry import Kind
from holdfast.model.jobs import State
from holdfast.model.rules import DatasetRule, ReadGrant, RepositoryRule
from holdfast.node.config import recall_path
from holdfast.node.store.worker import StoreWorker
from holdfast.node.workers.messages import Configure
from holdfast.operations.mount.edge import KIND
from holdfast.repository.archiving.archive import ArchivedFrom
from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import Heard, Machine, MachineRules, World, dataset, deliver, repository, store
from tests.dataflow.process_store import ProcessStore

OPERATIONS = {"backup": "backup", "archive": "archive"}


@dataclass
class Archived:
    """files1 archives what lies in `source` to repository main on vault."""

    world: World
    files1: Machine
    vault: Machine
    source: Path
    documents: DatasetRule
    main: RepositoryRule

    @property
    def recall(self) -> bytes:
        return os.fsencode(recall_path(self.files1.home))

    def archive(self, paths: Sequence[bytes]) -> int:
        """Capture, put these files into the lineage, and leave stubs. The archived time."""
        assert self.files1.run(self.documents, operations=("backup",)).state is State.SUCCEEDED
        archived_ns = time.time_ns()
        assert isinstance(self.vault.store, StoreWorker)
        owned = self.vault.store._repositories.get(self.main.id)
        newest = owned.newest(self.documents.id)
        assert newest is not None
        entries = [entry for entry in newest[1].entries() if entry.path in paths and entry.kind is Kind.FILE]
        newest[1].close()
        asked = [ToArchive(each.path, each.size_bytes, each.mtime_ns, digest_of(ref.id for ref in each.chunks)) for each in entries]
        whose = ArchivedFrom(self.documents.id, self.documents.label, self.files1.id)
        assert set(owned.archive.put(whose, archived_ns, asked, None)) == {Verdict.ARCHIVED}
        for path in paths:
            target = stub_target(self.recall, Stub(dataset=self.documents.id, archived_ns=archived_ns, path=path))
            os.symlink(target, path + b".new")
            os.rename(path + b".new", path)
        return archived_ns

    @contextmanager
    def recalling(self) -> Iterator[tuple[ProcessStore, Heard]]:
        """The recall worker, as long as it is wanted; whatever it leaves mounted is taken away."""
        heard = Heard()
        worker = ProcessStore(self.files1.home, heard, "recall")
        worker.start()
        try:
            assert self.files1.rules is not None
            worker.handle(Configure(rules=self.files1.rules, signing_key=self.world.authority.signing_public))
            wait_for(lambda: kind_at(self.recall) == KIND)
            yield worker, heard
        finally:
            if worker.process.poll() is None:
                worker.stop()
            while kind_at(self.recall):
                subprocess.run(["umount", "-l", os.fsdecode(self.recall)], check=True)


def archived_world(world: World, source: Path) -> Archived:
    """Rules in force; nothing has run."""
    files1, vault = world.machine("files1"), world.machine("vault")
    plans = [MachineRules(files1), MachineRules(vault)]
    main = repository(world, "main", world.folder / "stores" / "main")
    (world.folder / "stores").mkdir(parents=True, exist_ok=True)
    plans[1].repositories.append(main)
    documents = dataset(world, "files1/documents", source, operations=OPERATIONS)
    delivery = deliver(documents, plans[0], plans[1], (store(world, main, "backup"),), tuple(OPERATIONS))
    plans[0].datasets.append(documents)
    plans[0].deliveries.append(delivery)
    plans[1].reads.append(ReadGrant(reader=files1.id, dataset=documents.id, repository=main.id))
    world.activate(*plans)
    return Archived(world, files1, vault, source, documents, main)
