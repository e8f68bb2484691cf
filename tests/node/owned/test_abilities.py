"""What `status` says of an object store: what its owner found out, and nothing where nobody has."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.backend.capabilities import Capabilities, save_capabilities
from holdfast.core.ids import RepositoryId
from holdfast.model.repository_status import StoreAbilities
from holdfast.model.rules import RepositoryRule
from holdfast.node.owned.abilities import abilities_of

AT = datetime(2026, 1, 1, tzinfo=UTC)
BUCKET = RepositoryRule(id=RepositoryId("c" * 32), name="main", location="s3://bucket/main?endpoint=https://s3.example.net")


def record(home: Path) -> Path:
    (home / "repositories" / "main").mkdir(parents=True)
    return home / "repositories" / "main" / "store.json"


def test_what_was_found_out_is_told(tmp_path: Path) -> None:
    found = Capabilities(probed_at=AT, conditional_put=False, versioned=True, object_lock=None, object_lock_problem="boto3 is missing")
    save_capabilities(record(tmp_path), found)
    told = StoreAbilities(probed_at=AT, object_lock=None, object_lock_problem="boto3 is missing", versions=True, one_owner=False)
    assert abilities_of(tmp_path, BUCKET) == told
    folder = RepositoryRule(id=BUCKET.id, name="main", location="/srv/main")
    assert abilities_of(tmp_path, folder) is None, "what an earlier place could do says nothing of a folder"


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b"[" * 10_000])
def test_without_a_record_nothing_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = record(tmp_path)
    if content is not None:
        path.write_bytes(content)
    assert abilities_of(tmp_path, BUCKET) is None
