"""For all tests: what a busy machine does must not decide them; and the object store, which all of them share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from holdfast.testing.ceph import PACKAGES, missing_programs, use_ceph
from holdfast.testing.object_store import ObjectStore

# Examples have no time limit of their own: pytest's holds for the whole test, and a machine at work is no failure.
# The same tree is tried with the same examples, so that everybody sees the same failure; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[ObjectStore]:
    """A real Ceph with its S3 gateway: one for all processes of this run, started by the first test that needs it."""
    missing = missing_programs()
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: as root, apt-get install --no-install-recommends {' '.join(PACKAGES)}")
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with use_ceph(Path(shared) / "ceph") as ceph:
        yield ObjectStore(ceph, f"test-{worker_id}")
