"""Buckets on a real object store, for tests: `ObjectStore` makes them and says how a backend gets there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

from holdfast.backend.owner import Owner
from holdfast.core.clock import Clock, SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.testing.ceph import ACCESS_KEY, SECRET_KEY, Ceph

_NUMBERS = count()


class ObjectStore:
    """One test run's store. Buckets are named apart between processes and never deleted: the store goes with the run."""

    def __init__(self, ceph: Ceph, name: str) -> None:
        import boto3

        self.ceph = ceph
        self.endpoint = ceph.endpoint
        self._name = name
        self.admin: Any = boto3.session.Session().client(
            "s3", endpoint_url=ceph.endpoint, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name="us-east-1"
        )

    def bucket(self, *, versioned: bool = False, locked: bool = False) -> str:
        name = f"{self._name}-{next(_NUMBERS)}"
        if locked:
            self.admin.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        else:
            self.admin.create_bucket(Bucket=name)
        if versioned:
            self.admin.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def location(self, bucket: str, prefix: str = "holdfast", *, endpoint: str = "", **options: str) -> str:
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return f"s3://{bucket}/{prefix}?endpoint={endpoint or self.endpoint}{more}"

    def objects(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.admin.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def set_quota(self, bucket: str, size_bytes: int) -> None:
        """Of this bucket, in force at once."""
        self.ceph.admin("quota", "set", "--quota-scope=bucket", f"--bucket={bucket}", f"--max-size={size_bytes}")
        self.ceph.admin("quota", "enable", "--quota-scope=bucket", f"--bucket={bucket}")


def write_store_keys(path: Path, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> Path:
    """The file an owner has in HOME/keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(f"access_key_id={access_key}\nsecret_access_key={secret_key}\n")
    return path


def make_owner(
    home: Path, keys: Iterable[Path] = (), *, node: str = "vault", clock: Clock | None = None, wait: Callable[[float], object] | None = None
) -> Owner:
    """An owner with the store's keys, unless others are given, that does not really wait."""
    return Owner(
        node=node,
        hostname=f"{node}.example.net",
        home=home,
        keys=tuple(keys) or (write_store_keys(home.parent / "keys" / f"{home.name}.s3"),),
        clock=clock or SystemClock(),
        entropy=SystemEntropy(),
        wait=wait or (lambda _: None),
    )


STOCK_RESTIC_KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
"""Environment of a stock restic on this store."""
