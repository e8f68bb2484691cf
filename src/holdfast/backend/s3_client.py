"""Objects of one bucket: each call is one request that may be repeated, with our retries, time limits and errors around obstore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import obstore
from obstore.store import S3Store

from holdfast.backend import s3_errors
from holdfast.backend.credentials import Credentials
from holdfast.backend.retrying import Pace, Retrying
from holdfast.core.errors import StoreDenied, StoreError
from holdfast.model.object_location import ObjectLocation

if TYPE_CHECKING:
    from obstore.store import S3Credential

T = TypeVar("T")

PART_BYTES = 8 << 20
MULTIPART_BYTES = 32 << 20
"""From this size on an object goes in parts; restic's packs stay below, so that each is one request that is there or not."""

_QUICK_BYTES = 1 << 20
_PAGE = 1000


@dataclass(frozen=True)
class Timeouts:
    """Of one try. A large object may take long over a thin line; a small answer may not."""

    connect_s: float = 5.0
    quick_s: float = 30.0
    bulk_s: float = 600.0


class ObjectSpace(Protocol):
    """The requests that leases and probes need. Keys are whole, not relative to the location's prefix."""

    knows_conditions: bool

    def put(self, key: str, data: bytes) -> str | None: ...

    def put_new(self, key: str, data: bytes) -> bool: ...

    def get(self, key: str) -> bytes: ...

    def delete(self, key: str, *, patient: bool = True) -> None: ...


class ObjectClient:
    """An `ObjectSpace` on S3. Errors: `RepositoryMissing`, `NoSpace`, `StoreDenied`, `NotReachable`, else `StoreError`. Thread-safe.

    `read_keys` is asked at the first request, and again when the store refuses the keys: they may have been changed meanwhile.
    """

    def __init__(
        self, location: ObjectLocation, read_keys: Callable[[], Credentials], retrying: Retrying, pace: Pace, timeouts: Timeouts
    ) -> None:
        self._location = location
        self._read_keys = read_keys
        self._retrying = retrying
        self._pace = pace
        self._timeouts = timeouts
        self._keys: Credentials | None = None
        self._stores: tuple[S3Store, S3Store] | None = None
        self.knows_conditions = True
        self.place = f"{location.url}/{location.bucket}"

    def credentials(self) -> Credentials:
        """Those in use. Raises `StoreDenied` when there are none."""
        if self._keys is None:
            self._keys = self._read()
        return self._keys

    def put(self, key: str, data: bytes) -> str | None:
        """The whole object or nothing; an existing one is replaced. Gives its version where the bucket keeps versions."""

        def step(failures: int) -> str | None:
            # An answer that was lost may have been a yes. A second version of the same content would have no retention.
            if failures and self._exists(key, len(data)):
                return None
            self._pace.spend(len(data))
            store = self._store(len(data))
            in_parts = len(data) >= MULTIPART_BYTES
            return obstore.put(store, key, data, use_multipart=in_parts, chunk_size=PART_BYTES, max_concurrency=2)["version"]

        return self._do(key, step)

    def put_new(self, key: str, data: bytes) -> bool:
        """False when the name exists. Atomic only where the store honours `If-None-Match: *`.

        Some stores refuse the condition: then `knows_conditions` becomes False, and it is looked before it is written.
        """

        def step(failures: int) -> bool:
            # After a lost answer the object that is in the way may be our own. Asked first, because not every bucket knows the condition.
            if failures and self._exists(key):
                return self._load(key) == data
            store = self._store(len(data))
            try:
                obstore.put(store, key, data, mode="create", use_multipart=False)
            except s3_errors.FOREIGN as error:
                if s3_errors.is_taken(error):
                    return False
                if s3_errors.status_of(error) != 501:
                    raise
                self.knows_conditions = False
                if self._exists(key):
                    return False
                obstore.put(store, key, data, use_multipart=False)
            return True

        return self._do(key, step)

    def get(self, key: str) -> bytes:
        return self._do(key, lambda _: self._load(key))

    def get_range(self, key: str, offset: int, size: int) -> bytes:
        """Exactly these bytes; raises `StoreError` when the object ends before."""
        if size == 0:
            self.size(key)
            return b""

        def step(_: int) -> bytes:
            try:
                data = bytes(obstore.get_range(self._store(size), key, start=offset, length=size))
            except s3_errors.FOREIGN as error:
                if not s3_errors.is_beyond_end(error):
                    raise
                data = b""
            if len(data) != size:
                hint = "run `holdfast repository check NAME --read-data`"
                raise StoreError(f"{self.place}/{key} ends before byte {offset + size}", hint=hint)
            self._pace.spend(size)
            return data

        return self._do(key, step)

    def get_from(self, key: str, offset: int) -> bytes:
        """From there to the end; nothing when it ends before."""

        def step(_: int) -> bytes:
            try:
                data = bytes(obstore.get(self._store(MULTIPART_BYTES), key, options={"range": {"offset": offset}}).bytes())
            except s3_errors.FOREIGN as error:
                if not s3_errors.is_beyond_end(error):
                    raise
                data = b""
            self._pace.spend(len(data))
            return data

        return self._do(key, step)

    def size(self, key: str) -> int:
        return self._do(key, lambda _: obstore.head(self._store(0), key)["size"])

    def keys(self, prefix: str) -> Iterator[tuple[str, int]]:
        """(key, size in bytes) of all objects below, in order, page by page. A page that failed is asked for again from where it began."""
        after = ""
        while True:
            page = self._do(prefix, partial(self._page, prefix, after))
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def delete(self, key: str, *, patient: bool = True) -> None:
        """Absent is fine. Who is not `patient` has one try."""

        def step(_: int) -> None:
            try:
                obstore.delete(self._store(0), key)
            except s3_errors.FOREIGN as error:
                if not s3_errors.is_missing(error) or s3_errors.code_of(error) == "NoSuchBucket":
                    raise

        self._do(key, step, patient=patient)

    def _page(self, prefix: str, after: str, _: int = 0) -> list[tuple[str, int]]:
        options = {"offset": after} if after else {}
        stream = obstore.list(self._store(0), prefix or None, chunk_size=_PAGE, **options)
        return [(meta["path"], meta["size"]) for meta in next(iter(stream), [])]

    def _load(self, key: str) -> bytes:
        data = bytes(obstore.get(self._store(MULTIPART_BYTES), key).bytes())
        self._pace.spend(len(data))
        return data

    def _exists(self, key: str, size: int | None = None) -> bool:
        """There, and of this size if one is given."""
        try:
            found = obstore.head(self._store(0), key)["size"]
        except s3_errors.FOREIGN as error:
            if s3_errors.is_missing(error):
                return False
            raise
        return size in (None, found)

    def _do(self, key: str, step: Callable[[int], T], *, patient: bool = True) -> T:
        def tried(failures: int) -> T:
            with self._errors(key):
                return step(failures)

        try:
            return self._retrying.run(key, tried, patient=patient)
        except StoreDenied:
            if not self._keys_changed():
                raise
        return self._retrying.run(key, tried, patient=patient)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except s3_errors.FOREIGN as error:
            why = self._explained(error)
            raise s3_errors.translated(why, key, self.place) from error

    def _explained(self, error: BaseException) -> BaseException:
        """An error with S3's code in it. The answer to a HEAD has no body, so of a refusal a listing tells why."""
        if s3_errors.code_of(error) or s3_errors.status_of(error) not in (400, 401, 403, 404):
            return error
        try:
            self._page(self._location.prefix, "")
        except s3_errors.FOREIGN as other:
            return other if s3_errors.status_of(other) == s3_errors.status_of(error) else error
        return error

    def _keys_changed(self) -> bool:
        fresh = self._read()
        if fresh == self._keys:
            return False
        self._keys, self._stores = fresh, None
        return True

    def _read(self) -> Credentials:
        keys = self._read_keys()
        if keys.endpoint and keys.endpoint.rstrip("/").lower() != self._location.url.lower():
            hint = "the keys name the endpoint they are for; correct the location, or the endpoint in HOME/keys/NAME.s3"
            raise StoreDenied(f"the keys are not for {self._location.url}", hint=hint)
        return keys

    def _store(self, size: int) -> S3Store:
        if self._stores is None:
            keys = self.credentials()
            self._stores = (self._opened(keys, self._timeouts.quick_s), self._opened(keys, self._timeouts.bulk_s))
        quick, bulk = self._stores
        return quick if size <= _QUICK_BYTES else bulk

    def _opened(self, keys: Credentials, timeout_s: float) -> S3Store:
        """obstore also reads AWS_* variables; everything that decides where we go and as whom is given, so that none of them counts."""
        where = self._location
        url = where.url
        if where.virtual_hosts and where.endpoint:
            scheme, _, host = url.partition("://")
            url = f"{scheme}://{where.bucket}.{host}"
        elif where.virtual_hosts:
            url = f"https://{where.bucket}.s3.{where.region}.amazonaws.com"
        return S3Store(
            where.bucket,
            config={
                "endpoint": url,
                "aws_endpoint_url_s3": url,
                "region": where.region,
                "default_region": where.region,
                "virtual_hosted_style_request": where.virtual_hosts,
                "access_key_id": keys.access_key_id,
                "secret_access_key": keys.secret_access_key,
                "checksum_algorithm": "sha256",
                "skip_signature": False,
                "unsigned_payload": False,
                "disable_bulk_delete": True,
            },
            client_options={
                "allow_http": url.startswith("http://"),
                "connect_timeout": timedelta(seconds=self._timeouts.connect_s),
                "timeout": timedelta(seconds=timeout_s),
                "user_agent": "holdfast",
            },
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=timeout_s)},
            credential_provider=_Provider(keys),
        )


class _Provider:
    """Hands obstore these keys and no others."""

    def __init__(self, keys: Credentials) -> None:
        self._keys = keys

    def __call__(self) -> S3Credential:
        keys = self._keys
        return {
            "access_key_id": keys.access_key_id,
            "secret_access_key": keys.secret_access_key,
            "token": keys.session_token or None,
            "expires_at": None,
        }
