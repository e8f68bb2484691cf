"""What a node keeps in its home, on a disk that fails, fills up, forgets or goes at any step: what it said is kept is kept."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from holdfast.backend.local import LocalBackend
from holdfast.core.errors import HoldfastError, NoSpace, NotGranted
from holdfast.core.ids import EnvironmentId, JobId
from holdfast.model.jobs import Event, Job, Severity, State
from holdfast.model.keys import AskKeyAdd, AskKeyRestore, AskKeyRotate
from holdfast.model.orders import RestoreOrder, SignedOrder, signed_bytes_of_order
from holdfast.node.config import NodeConfig, is_joined, load_config, save_config
from holdfast.node.membership.enrol import store_identity
from holdfast.node.membership.rule_store import RuleStore, load_signing_key, save_signing_key
from holdfast.node.records.journal import Journal, ProtectionRow
from holdfast.node.restoring.orders import OrderBook
from holdfast.node.workers.messages import RunCascade
from holdfast.testing.faulty_disk import NEEDS_ROOM, Fault, FaultyDisk, Gone, full_from, no_faults, trials
from holdfast.testing.node_rules import DOCUMENTS, ENVIRONMENT, FILES1, VAULT, sign, source_rules
from holdfast.testing.virtual_clock import VirtualClock
from holdfast.wire.authority import Authority
from holdfast.wire.identity import Credentials, certificate_of, load_credentials, load_key, make_csr, new_key, save_credentials
from tests.node.owned.test_keys import Owner

# Hundreds of small runs, on a machine that may have much else to do.
pytestmark = pytest.mark.timeout(600)
START = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None
AUTHORITY = Authority.create(clock=VirtualClock(START))
FAILURES = (OSError, sqlite3.Error, HoldfastError)


@contextmanager
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        place = Path(folder) / "home"
        place.mkdir()
        yield place


def everywhere(prepare: Callable[[Path], object], work: Callable[[Path], object]) -> Iterator[tuple[Path, bool, Fault]]:
    """For every step of `work` and every fault: the home after it, and whether `work` returned."""
    with home() as place:
        prepare(place)
        with FaultyDisk(place) as disk:
            work(place)
    assert disk.steps
    for number, fault in trials(disk.steps, every=True):
        with home() as place:
            prepare(place)
            returned = False
            with FaultyDisk.with_fault(place, number, fault, cut=Gone) as disk, suppress(*FAILURES):
                work(place)
                returned = True
            assert disk.fired
            yield place, returned, fault


# The journal

JOB = Job(id=JobId("1" * 32), node=FILES1, kind="run", rule="files1/x", state=State.QUEUED, created_at=START)
EVENT = Event(code="test", severity=Severity.INFO, message="x" * 3_000, node=FILES1, time=START)
ROW = ProtectionRow(dataset=DOCUMENTS, operation="backup", action="a", since_ns=1)
OPERATIONS: tuple[Callable[[Journal], object], ...] = (
    lambda journal: journal.record_job(JOB),
    lambda journal: journal.record_event(EVENT),
    lambda journal: journal.record_job(msgspec.structs.replace(JOB, state=State.RUNNING)),
    lambda journal: journal.acknowledge(report.number if (report := journal.next_report(limit=1)) is not None else 0),
    lambda journal: journal.put_protections((ROW,)),
    lambda journal: journal.put_care("main", "check", 7),
    lambda journal: journal.record_job(msgspec.structs.replace(JOB, state=State.SUCCEEDED)),
    lambda journal: journal.put_protections((), (ROW.key,)),
)


def open_journal(place: Path) -> Journal:
    return Journal(place / "node.db", clock=VirtualClock(START))


def all_of(journal: Journal) -> object:
    return journal.next_report(), journal.newest_jobs(10), journal.unfinished(), journal.protections(), journal.care()


def test_the_journal_keeps_what_returned_at_every_step() -> None:
    told: list[int] = []

    def work(place: Path) -> None:
        told[:] = []
        with closing(open_journal(place)) as journal:
            told.append(0)
            for number, operation in enumerate(OPERATIONS, 1):
                operation(journal)
                # On a full disk it returns, too, and keeps in memory what it was told.
                if not journal.is_behind:
                    told.append(number)

    with home() as place, closing(open_journal(place)) as journal:
        states = [all_of(journal)]
        for operation in OPERATIONS:
            operation(journal)
            states.append(all_of(journal))
    for place, _, fault in everywhere(lambda place: None, work):
        with closing(open_journal(place)) as journal:
            done = max(told, default=0)
            assert all_of(journal) in states[done : done + 2], (fault, done)
            journal.record_event(EVENT)
            assert journal.reports_waiting()


def test_a_disk_that_is_full_at_any_step_of_the_journal_costs_nothing_once_there_is_room() -> None:
    ended = msgspec.structs.replace(JOB, state=State.SUCCEEDED)
    with home() as place, FaultyDisk(place) as counted, closing(open_journal(place)) as journal:
        opened = len(counted.steps)
        for operation in OPERATIONS:
            operation(journal)
        steps = [step.number for step in counted.steps[opened:] if step.verb in NEEDS_ROOM]
    assert steps
    for number in steps:
        with home() as place:
            with FaultyDisk(place, full_from(number)) as disk, closing(open_journal(place)) as journal:
                for operation in OPERATIONS:
                    operation(journal)
                assert disk.fired
                assert (journal.is_behind, journal.job(JOB.id), journal.newest_jobs(10)) == (True, ended, (ended,))
                with pytest.raises(NoSpace):
                    journal.record_asked(msgspec.structs.replace(JOB, id=JobId("2" * 32)), RunCascade(job=JOB, cascade="c"))
                disk.plan = no_faults
                assert journal.catch_up(at_once=True)
            with closing(open_journal(place)) as journal:
                report = journal.next_report()
                assert report is not None
                assert (report.jobs, report.events in ((), (EVENT,))) == ((ended,), True)
                assert (journal.newest_jobs(10), journal.protections(), journal.care()) == ((ended,), (), {("main", "check"): 7})


def test_a_used_order_stays_used_at_every_step() -> None:
    def order(number: int) -> SignedOrder:
        body = msgspec.json.encode(
            RestoreOrder(
                id=f"{number:032x}",
                reader=FILES1,
                owner=VAULT,
                owner_address="vault:7442",
                repository=source_rules().deliveries[0].id,  # type: ignore[arg-type]
                dataset=DOCUMENTS,
                point="5" * 32,  # type: ignore[arg-type]
                expires_at=START + timedelta(minutes=5),
            )
        )
        return SignedOrder(body=body, signature=AUTHORITY.sign(signed_bytes_of_order(body)))

    orders = [order(number) for number in range(3)]
    accepted: list[SignedOrder] = []

    def accept(book: OrderBook, one: SignedOrder) -> None:
        book.accept(one, signing_key=AUTHORITY.signing_public, reader=FILES1, owner=VAULT)
        accepted.append(one)

    def work(place: Path) -> None:
        accepted.clear()
        with closing(OrderBook(place / "orders.db", clock=VirtualClock(START))) as book:
            for one in orders:
                accept(book, one)

    for place, _, _ in everywhere(lambda place: None, work):
        with closing(OrderBook(place / "orders.db", clock=VirtualClock(START))) as book:
            for one in list(accepted):
                with pytest.raises(NotGranted, match="was used before"):
                    accept(book, one)


# Rules


def rule_store(place: Path) -> RuleStore:
    return RuleStore(place, environment=ENVIRONMENT, node=FILES1)


def test_rules_are_the_old_ones_or_the_new_ones_at_every_step() -> None:
    def prepare(place: Path) -> None:
        save_signing_key(place, AUTHORITY.signing_public)
        store = rule_store(place)
        for generation in (1, 2):
            store.put(sign(source_rules(generation), AUTHORITY))

    for place, returned, _ in everywhere(prepare, lambda place: rule_store(place).put(sign(source_rules(3), AUTHORITY))):
        store = rule_store(place)
        assert store.fallback is None
        assert store.generation == 3 if returned else store.generation in (2, 3)
        store.put(sign(source_rules(4), AUTHORITY))
        (place / "rules" / "current.json").write_bytes(b"damaged")
        assert rule_store(place).generation in (2, 3)


# Identity


def credentials() -> Credentials:
    key = new_key()
    return Credentials(key, AUTHORITY.issue(make_csr(key), FILES1, clock=VirtualClock(START)), AUTHORITY.ca_pem)


CONFIG = NodeConfig(
    environment=ENVIRONMENT,
    environment_name="office",
    node=FILES1,
    name="files1",
    master_url="https://127.0.0.1:1",
    master_name="holdfast-master",
    hub_address="127.0.0.1:1",
    data_listen="127.0.0.1:1",
)
OLD, NEW = credentials(), credentials()


def assert_fits(found: Credentials) -> None:
    key = load_key(found.key_pem)
    assert isinstance(key, EllipticCurvePrivateKey)
    assert key.public_key() == certificate_of(found.cert_pem).public_key()


@pytest.mark.parametrize("before", ["nothing", "another environment", "the same environment"])
def test_a_machine_that_counts_as_joined_has_all_it_needs(before: str) -> None:
    """A join that was cut off: either it has not taken place, and can be done again, or all of it has."""
    other = msgspec.structs.replace(CONFIG, environment=EnvironmentId("f" * 32)) if before == "another environment" else CONFIG

    def prepare(place: Path) -> None:
        if before != "nothing":
            store_identity(place, other, OLD, bytes(32))
            (place / "node.db").write_bytes(b"what happened before")

    def work(place: Path) -> None:
        store_identity(place, CONFIG, NEW, AUTHORITY.signing_public)

    for place, returned, fault in everywhere(prepare, work):
        if is_joined(place):
            found = load_credentials(place / "identity")
            assert_fits(found)
            is_new = found == NEW
            assert load_signing_key(place) == (AUTHORITY.signing_public if is_new else bytes(32)), fault
            assert load_config(place) == (CONFIG if is_new else other)
            assert is_new or not returned
        else:
            assert not returned
        work(place)
        assert load_credentials(place / "identity") == NEW
        assert (place / "node.db").exists() == (before == "the same environment")


def test_a_renewed_certificate_fits_its_key_at_every_step() -> None:
    fresh = Credentials(OLD.key_pem, AUTHORITY.issue(make_csr(OLD.key_pem), FILES1, clock=VirtualClock(START)), OLD.ca_pem)

    def prepare(place: Path) -> None:
        save_credentials(place / "identity", OLD)
        save_config(place, CONFIG)

    for place, returned, _ in everywhere(prepare, lambda place: save_credentials(place / "identity", fresh)):
        found = load_credentials(place / "identity")
        assert_fits(found)
        assert found in ((fresh,) if returned else (OLD, fresh))


# Keys of repositories


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("owner")
    owner = Owner(folder)
    owner.create()
    owner.done(AskKeyAdd(repository="main", password="somebody else's"))
    return folder


def copy_of(owners: Path) -> Callable[[Path], None]:
    def prepare(place: Path) -> None:
        for name in ("config", "keys"):
            source = owners / "store" / name
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            (place / "store").mkdir(exist_ok=True)
            copy(source, place / "store" / name)
        shutil.copytree(owners / "home", place / "home")

    return prepare


def test_a_rotation_leaves_what_opens_at_every_step(owners: Path) -> None:
    def work(place: Path) -> None:
        Owner(place).done(AskKeyRotate(repository="main"))

    for place, _, fault in everywhere(copy_of(owners), work):
        owner = Owner(place)
        assert owner.opens_with(owner.key_file.read_text().strip()), fault
        assert owner.opens_with("somebody else's")
        owner.keys.settle(owner.rule, LocalBackend(owner.store))
        slots = owner.listed().slots
        assert [slot.in_use for slot in slots].count(True) == 1
        assert len(slots) == 2, fault


def test_a_restored_key_opens_at_every_step(owners: Path) -> None:
    def prepare(place: Path) -> None:
        copy_of(owners)(place)
        Owner(place).key_file.write_text("lost\n")

    def work(place: Path) -> None:
        Owner(place).done(AskKeyRestore(repository="main", password="somebody else's"))

    for place, returned, fault in everywhere(prepare, work):
        owner = Owner(place)
        assert owner.opens_with("somebody else's")
        kept = owner.key_file.exists() and owner.opens_with(owner.key_file.read_text().strip())
        assert kept or not returned, fault
        if not kept:
            work(place)
        owner.keys.settle(owner.rule, LocalBackend(owner.store))
        assert owner.opens_with(owner.key_file.read_text().strip())
