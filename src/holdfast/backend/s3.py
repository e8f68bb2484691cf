"""A repository in an object store, laid out as restic's "s3" backend: PREFIX/config, PREFIX/data/xx/NAME, all else flat."""

from __future__ import annotations

import logging
import posixpath
import re
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

from holdfast.backend.backend import FileType
from holdfast.backend.capabilities import Capabilities, load_capabilities, probe, save_capabilities
from holdfast.backend.credentials import Credentials, read_credentials
from holdfast.backend.lease import Lease
from holdfast.backend.object_lock import FileName
from holdfast.backend.owner import Owner
from holdfast.backend.retrying import Pace, Retrying, RetryPolicy
from holdfast.backend.s3_client import ObjectClient, Timeouts
from holdfast.backend.s3_retention import Retention
from holdfast.core.errors import Conflict, HoldfastError, Refused, RepositoryMissing, StoreError
from holdfast.model.object_location import ObjectLocation

_NAME = re.compile(r"[0-9a-f]{64}")
_RECORD = "store.json"
_DROP_S = 60.0
# What another owner would spoil: everything that says "I am at work here" and everything that makes data reachable.
_GUARDED = (FileType.LOCK, FileType.SNAPSHOT)

logger = logging.getLogger(__name__)


class S3Backend:
    """`Backend`, `GroupedSaves`, `Ownable` and `ObjectLock` on a bucket.

    Unlike a folder it tries again by itself: a request that the network or the store broke is repeated for about 15 s (`RetryPolicy`).
    `save_later` begins to send at once, some files at a time; until `settle` they are left out of `names` here, while other readers may see
    a whole file, which no index names. A process that dies in between leaves such files to the next prune.
    """

    def __init__(self, location: ObjectLocation, owner: Owner, *, timeouts: Timeouts | None = None) -> None:
        timeouts = timeouts or Timeouts()
        self._where = location
        self._owner = owner
        retrying = Retrying(RetryPolicy(), owner.clock, owner.entropy, owner.wait)
        pace = Pace(location.limit_bytes_s, owner.clock, owner.wait)
        self._client = ObjectClient(location, lambda: read_credentials(owner.keys), retrying, pace, timeouts)
        self._retention = Retention(location, self._client.credentials, retrying, timeouts)
        side = side_folder(location)
        self._lease = Lease(self._client, f"{side}/owner", owner, location.restic, f"delete the object {side}/owner in the bucket")
        self._side = side
        self._capabilities: Capabilities | None = None
        self._retained: dict[FileName, datetime] = {}
        self._pool = ThreadPoolExecutor(location.connections, thread_name_prefix=f"s3-{location.bucket}")
        self._places = threading.BoundedSemaphore(location.connections)
        self._guard = threading.Lock()
        self._waiting: dict[FileName, Future[str | None]] = {}

    @property
    def location(self) -> str:
        return self._where.restic

    def credentials(self) -> Credentials:
        """For stock restic's environment. Raises `StoreDenied`."""
        return self._client.credentials()

    def create(self) -> None:
        """Takes the place: buckets have no folders to make. Raises `RepositoryMissing` when there is no bucket."""
        found = (key for key, _ in self._client.keys(self._where.prefix) if not key.startswith(f"{self._side}/"))
        used = next(found, None)
        if used is not None:
            hint = "give a prefix that nothing is under"
            raise Conflict(f"{self.location} is not empty: there is {used}", hint=hint, location=self.location)
        self._lease.take()
        self._capabilities = self._probed()

    def take(self) -> None:
        self._lease.take()
        record = self._owner.home / _RECORD
        known = load_capabilities(record)
        if known is None:
            known = self._capabilities or self._probed()
            with suppress(OSError):
                # Without the record it is probed again next time.
                save_capabilities(record, known)
        if not known.lease_is_atomic:
            logger.warning("this bucket cannot keep two owners apart that come at one moment", extra={"facts": {"location": self.location}})
        self._capabilities = known

    def take_over(self) -> str:
        return self._lease.take_over()

    def refuse_others(self) -> None:
        self._lease.refuse_others()

    def give_up(self) -> None:
        self._lease.give_up()

    @property
    def capabilities(self) -> Capabilities | None:
        """None before `create` or `take`."""
        return self._capabilities

    def save(self, kind: FileType, name: str, data: bytes) -> None:
        key = self._key(kind, name)
        if kind in _GUARDED:
            self._lease.check()
        if kind is FileType.CONFIG:
            self._save_config(key, data)
        else:
            self._client.put(key, data)

    def save_later(self, kind: FileType, name: str, data: bytes) -> None:
        """Waits while as many files are under way as the location allows. What stopped another file is raised at once: more would go the
        same way."""
        key = self._key(kind, name)
        self._places.acquire()
        try:
            with self._guard:
                broken = next((f for f in self._waiting.values() if f.done() and f.exception() is not None), None)
            if broken is not None:
                broken.result()
            future = self._pool.submit(self._client.put, key, data)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(lambda _: self._places.release())
        with self._guard:
            self._waiting[kind, name] = future

    def settle(self, kind: FileType, names: tuple[str, ...]) -> None:
        with self._guard:
            taken = [self._waiting[kind, name] for name in names if (kind, name) in self._waiting]
        try:
            for future in taken:
                future.result()
        except BaseException:
            self.forget(kind, names)
            raise
        with self._guard:
            for name in names:
                self._waiting.pop((kind, name), None)

    def forget(self, kind: FileType, names: tuple[str, ...]) -> None:
        with self._guard:
            dropped = {name: self._waiting.pop((kind, name)) for name in names if (kind, name) in self._waiting}
        for name, future in dropped.items():
            if future.cancel():
                continue
            with suppress(Exception):
                future.result(_DROP_S)
            # Also after an error: the answer may have been lost on its way.
            with suppress(HoldfastError):
                self._client.delete(self._key(kind, name), patient=False)

    def remove_strays(self) -> None:
        """Nothing to do: an object is whole or not there. Whole packs that no index names are for a prune."""

    def load(self, kind: FileType, name: str, offset: int = 0, size: int | None = None) -> bytes:
        key = self._key(kind, name)
        if size is not None:
            return self._client.get_range(key, offset, size)
        return self._client.get_from(key, offset) if offset else self._client.get(key)

    def size(self, kind: FileType, name: str) -> int:
        return self._client.size(self._key(kind, name))

    def names(self, kind: FileType) -> Iterator[str]:
        if kind is FileType.CONFIG:
            with suppress(RepositoryMissing):
                self._client.size(self._key(kind, ""))
                yield ""
            return
        folder = "/".join(part for part in (self._where.prefix, kind.value) if part)
        for key, _ in self._client.keys(folder):
            name = key[len(folder) + 1 :]
            if kind is FileType.DATA:
                name = name[3:] if name[2:3] == "/" and name[3:5] == name[:2] else ""
            if _NAME.fullmatch(name) and not self._is_waiting(kind, name):
                yield name

    def remove(self, kind: FileType, name: str) -> None:
        self._client.delete(self._key(kind, name))

    def locks_files(self) -> bool:
        if self._capabilities is None or self._capabilities.object_lock is None:
            try:
                return self._retention.facts().enabled
            except Refused:
                return False
        return self._capabilities.object_lock

    def extend_retention(self, files: Iterable[FileName], until: datetime) -> None:
        wanted = [file for file in files if (known := self._retained.get(file)) is None or known < until]
        futures = [(file, self._pool.submit(self._retention.extend, self._key(*file), until)) for file in wanted]
        problem: BaseException | None = None
        for file, future in futures:
            try:
                self._retained[file] = future.result()
            except HoldfastError as error:
                problem = problem or error
        if problem is not None:
            raise problem

    def close(self) -> None:
        """Files that were not settled are dropped. What the place belongs to does not change."""
        with self._guard:
            left = list(self._waiting)
        for kind, name in left:
            self.forget(kind, (name,))
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _save_config(self, key: str, data: bytes) -> None:
        """The one file without a hash for a name: of two who create a repository at one moment, one must lose."""
        if not self._client.put_new(key, data) and self._client.get(key) != data:
            raise Conflict(f"{self.location} was made by somebody else meanwhile", hint="give another prefix", location=self.location)

    def _is_waiting(self, kind: FileType, name: str) -> bool:
        with self._guard:
            return (kind, name) in self._waiting

    def _probed(self) -> Capabilities:
        return probe(self._client, self._side, self._owner, self._retention.facts)

    def _key(self, kind: FileType, name: str) -> str:
        if kind is FileType.CONFIG:
            parts = (self._where.prefix, "config")
        elif _NAME.fullmatch(name) is None:
            raise StoreError(f"not a repository file name: {name[:80]!r}", hint="this is a fault in Holdfast; the log has the details")
        elif kind is FileType.DATA:
            parts = (self._where.prefix, f"data/{name[:2]}/{name}")
        else:
            parts = (self._where.prefix, f"{kind.value}/{name}")
        return "/".join(part for part in parts if part)


def side_folder(location: ObjectLocation) -> str:
    """The key prefix, beside the repository, of what is ours and not restic's."""
    parent, base = posixpath.split(location.prefix)
    return "/".join(part for part in (parent, f".holdfast-{base}" if base else ".holdfast") if part)
