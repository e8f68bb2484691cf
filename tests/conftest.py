"""For all tests: what a busy machine does must not decide them; and the object store, which all of them share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from holdfast.core.ready_types import make_types_ready
from holdfast.testing.ceph import PACKAGES, missing_programs, use_ceph
from holdfast.testing.object_store import ObjectStore
from holdfast.testing.postgresql import PACKAGE, PostgreSql, is_installed, postgresql
from tests.master import masters

# Processes that tests start keep what they compile, and so do we: otherwise each start of the program compiles all of it (see Makefile).
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Examples have no time limit of their own: pytest's holds for the whole test, and a machine at work is no failure.
# The same tree is tried with the same examples, so that everybody sees the same failure; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--records", choices=("sqlite", "postgresql"), default="sqlite", help="where Masters in one process keep their records"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the big tests the longest begin first, by the time they are allowed: one that begins last leaves all processors but one idle."""
    if config.option.markexpr != "big":
        return
    longest_s = dict.fromkeys((item.path for item in items), 0.0)
    for item in items:
        limit = item.get_closest_marker("timeout")
        if limit is not None and item.get_closest_marker("big") is not None:
            longest_s[item.path] = max(longest_s[item.path], limit.args[0])
    items.sort(key=lambda item: -longest_s[item.path])


def pytest_collection_finish() -> None:
    """Workers are threads of this process in some tests."""
    make_types_ready()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSql]:
    """A real PostgreSQL of this test process, started by the first test that needs it."""
    if not is_installed():
        pytest.skip(f"needs PostgreSQL: as root, apt-get install {PACKAGE}")
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def records(request: pytest.FixtureRequest) -> Iterator[None]:
    """`--records postgresql` lets every Master of `tests.master.masters` keep its records there: one suite, both databases."""
    if request.config.getoption("--records") == "postgresql":
        with masters.records_in(request.getfixturevalue("postgresql_server")):
            yield
    else:
        yield


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
