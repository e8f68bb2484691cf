"""What is behind an open repository: storage, catalog, tables, session lock and sealing pool, shared by all its sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from holdfast.core.errors import RepositoryLocked, StoreError
from holdfast.repository.catalog.catalog_view import CatalogViews
from holdfast.repository.catalog.database import Catalog
from holdfast.repository.damage_met import DamageMet, Read
from holdfast.repository.lock_record import LockRecord
from holdfast.repository.moment_holds import MomentHolds
from holdfast.repository.packs.chunks import Chunks
from holdfast.repository.packs.lending import Packers
from holdfast.repository.packs.storage import Storage
from holdfast.repository.pausing import Pausing
from holdfast.repository.quarantine import Quarantine
from holdfast.repository.refresh import Refresher
from holdfast.repository.session_lock import SessionLock
from holdfast.repository.trusted_time import TrustedTime
from holdfast.repository.vanished import Vanished

# Sealing, hashing and writing release the GIL; more threads than this only wait for each other.
_SEALERS = 2
_LOOK_S = 1.0
# Fewer new paths than this a search goes through by itself.
MANY_PATHS = 2_000
# A search does not wait for the store; how old what it knows of other programs' snapshots may be.
_FRESH_S = 5.0


class Interior:
    """Thread-safe. `busy` datasets are being received by one session each."""

    def __init__(
        self, name: str, storage: Storage, catalog: Catalog, wait: Callable[[float], object], record: LockRecord, quarantine: Quarantine
    ) -> None:
        self.name = name
        self.storage = storage
        self.catalog = catalog
        self.views = CatalogViews(catalog)
        self.refresher = Refresher(catalog, storage)
        self.blobs = self.refresher.blobs
        self.commits = self.refresher.commits
        self.versions = self.refresher.versions
        self.moments = self.refresher.moments
        self.lookup = self.refresher.lookup
        self.names = self.refresher.names
        self.trees = self.refresher.trees
        self.chunks = Chunks(storage, self.blobs)
        self.packers = Packers()
        self.pausing = Pausing(catalog.path.parent, storage.clock)
        self.lock = SessionLock(name, storage, wait, record, self.pausing)
        self.time = TrustedTime(catalog.path.parent, storage.clock)
        self.moment_holds = MomentHolds()
        self.vanished = Vanished(catalog.path.parent)
        self.pool = ThreadPoolExecutor(_SEALERS, thread_name_prefix=f"seal-{name}")
        self.quarantine = quarantine
        self._background = ThreadPoolExecutor(1, thread_name_prefix=f"look-{name}")
        self._is_looking = threading.Lock()
        self._refreshed_s = 0.0
        self._guard = threading.Condition()
        self._busy: set[int] = set()
        self._quiet = False
        self._is_started = False
        self._stopping = threading.Event()

    def enter(self, *, at_once: bool = False) -> None:
        """Begin a session: the session lock, then a catalog that is up to date. Raises `RepositoryLocked`.

        `at_once`: the caller settles the lock itself, before it writes or tells what others rely on.
        """
        self.lock.enter()
        try:
            self.refresh()
            if not at_once:
                self.lock.settle()
        except BaseException:
            self.lock.leave()
            raise

    def damage_met(self, read: Read) -> DamageMet:
        """The watch over one read."""
        return DamageMet(self.storage, self.blobs, self.quarantine, read)

    def leave(self) -> None:
        self.lock.leave()
        # Not while others write: the last of them comes here, too.
        self._in_background(self._make_searchable, give_way=True)

    def look_soon(self) -> None:
        """In the background what a search needs: names that nobody can look up yet, and what other programs did to the repository."""
        self._in_background(self._look)

    def _in_background(self, work: Callable[..., None], **options: bool) -> None:
        """Unless it is at work already. A failure there is met by everybody who reads or writes, and told by them."""

        def run() -> None:
            try:
                with suppress(StoreError):
                    work(**options)
            finally:
                self._is_looking.release()

        if self._is_looking.acquire(blocking=False):
            try:
                self._background.submit(run)
            except RuntimeError:
                # It is being closed.
                self._is_looking.release()

    def _look(self) -> None:
        if self.storage.clock.monotonic_s() - self._refreshed_s > _FRESH_S:
            self.refresh()
        self._make_searchable()

    def _make_searchable(self, *, give_way: bool = False) -> None:
        if self.names.behind() > MANY_PATHS:
            self.names.catch_up(lambda: self._stopping.is_set() or (give_way and bool(self._busy)))

    def refresh(self) -> None:
        with self._guard:
            busy = frozenset(self._busy)
        self.refresher.refresh(busy)
        if lost := self.refresher.lost:
            self.refresher.lost = []
            self.vanished.note(lost, self.time.now(), unseen=not self._is_started)
        if self.vanished.has_alarms:
            self.vanished.found(row.brief.point.id for row in self.commits.listed() if row.brief.point is not None)
        self.quarantine.apply(self.blobs)
        self._refreshed_s = self.storage.clock.monotonic_s()

    def take_dataset(self, dataset: int) -> None:
        """Raises `RepositoryLocked` while another session has a commit of this dataset open."""
        with self._guard:
            if self._quiet:
                raise RepositoryLocked("the repository is being repaired", hint="it is tried again when that has ended")
            if dataset in self._busy:
                raise RepositoryLocked("another session is delivering this dataset", hint="it is tried again when that one has ended")
            self._busy.add(dataset)
        self.blobs.in_use.begin(dataset)

    def release_dataset(self, dataset: int) -> None:
        self.blobs.in_use.end(dataset)
        with self._guard:
            self._busy.discard(dataset)
            self._guard.notify_all()

    def give_way(self, look: Callable[[], object]) -> None:
        """Wait while a commit is open. `look` is called now and then, and may raise to give it up."""
        with self._guard:
            while not self._guard.wait_for(lambda: not self._busy, _LOOK_S):
                look()

    @contextmanager
    def quiet(self, look: Callable[[], object]) -> Iterator[None]:
        """Wait until no commit is open, and let none begin meanwhile. For a short time: who would begin is sent away, and tries again.
        `look` is called while it waits, and may raise to give it up."""
        with self._guard:
            if self._quiet:
                raise RepositoryLocked("the repository is being repaired already", hint="wait until that has ended")
            self._quiet = True
        try:
            with self._guard:
                while not self._guard.wait_for(lambda: not self._busy, _LOOK_S):
                    look()
            yield
        finally:
            with self._guard:
                self._quiet = False

    def start(self) -> None:
        """Clean up after a crash, then bring the catalog up to date."""
        # A home that knows no time yet takes the clock's word now, not after somebody has set it.
        self.time.now()
        self.lock.remove_dead()
        self.refresher.undo_unsealed()
        self.refresh()
        self._is_started = True

    def stop(self) -> None:
        """Everything but the backend is closed."""
        self._stopping.set()
        self._background.shutdown(wait=True)
        self.pool.shutdown(wait=True)
        self.views.close()
        self.catalog.close()

    def close(self) -> None:
        self.stop()
        self.storage.backend.close()
