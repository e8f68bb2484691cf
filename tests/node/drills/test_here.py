"""Drills as jobs: what they prove is a fact of the point, what they find is healed where a copy exists, and everybody can see it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from holdfast.core.errors import Cancelled, NoSpace, UnknownName
from holdfast.core.ids import ActionId, JobId
from holdfast.model.change import Commit
from holdfast.model.document import DrillPlan
from holdfast.model.jobs import Event, Job, State
from holdfast.model.maintenance import Drill
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.rules import Receive, Rules, StoreAction
from holdfast.node.drills import here as drilling
from holdfast.node.drills.book import DrillBook, drill_findings
from holdfast.node.drills.here import DrillJob
from holdfast.node.drills.records import DrillTools
from holdfast.operations.running import Cancellation, Meter
from holdfast.repository.care.healing import BlobCopy
from holdfast.testing.node_rules import MAIN, VAULT, store_rules
from holdfast.testing.repository_scene import DATASET, SENDER, START, MarkingFeeder, RepositoryScene
from holdfast.testing.tree_source import TreeSource
from holdfast.testing.virtual_clock import SeededEntropy

LABEL = "files1/documents"
WEEK_S = 7 * 86_400.0


@dataclass
class CountingFeeder(MarkingFeeder):
    """One whose commits say how large they are."""

    files: int = 0
    size_bytes: int = 0

    def commit(self) -> Commit:
        return msgspec.structs.replace(super().commit(), files=self.files, size_bytes=self.size_bytes)


class Site:
    """A repository with two points, and the machine of its owner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scene = RepositoryScene(folder)
        self.scene.create()
        self.tree = folder / "tree"
        for number in range(30):
            (self.tree / f"folder{number % 3}").mkdir(parents=True, exist_ok=True)
            (self.tree / f"folder{number % 3}" / f"file{number}").write_bytes(f"content {number}\n".encode() * (number + 1))
        self.first = TreeSource(self.tree)
        sizes = [entry.size_bytes for entry in self.first.all.values() if entry.chunks]
        self.feeder = CountingFeeder(
            dataset=DATASET, roots=(self.first.root,), chunks=self.first.chunks, files=len(sizes), size_bytes=sum(sizes)
        )
        self.repository = self.scene.open()
        self.scene.store(self.repository, self.feeder, None, self.first.all)
        (self.tree / "folder0" / "file0").write_bytes(b"changed")
        second = TreeSource(self.tree)
        self.feeder.chunks.update(second.chunks)
        self.scene.store(self.repository, self.feeder, self.first.all, second.all)
        self.home = folder / "node"
        (self.home / "repositories" / "main").mkdir(parents=True)
        self.events: list[Event] = []
        self.plan = DrillPlan(every_s=WEEK_S, sample="all")

    @property
    def tools(self) -> DrillTools:
        return DrillTools(
            home=self.home, clock=self.scene.clock, entropy=SeededEntropy("drills"), book=DrillBook(self.home), event=self.events.append
        )

    @property
    def rules(self) -> Rules:
        action = StoreAction(id=ActionId("b" * 32), repository=MAIN, operations=(), drill=self.plan)
        receive = Receive(dataset=DATASET, label=LABEL, sender=SENDER, actions=(action,))
        return msgspec.structs.replace(store_rules(), receives=(receive,))

    def drill(self, task: Drill | None = None, copies: Sequence[BlobCopy] = (), cancellation: Cancellation | None = None) -> Job:
        job = Job(id=JobId("j" * 32), node=VAULT, kind="drill", rule="main", state=State.RUNNING, created_at=START)
        drill = DrillJob(
            task=task or Drill(dataset=LABEL),
            job=job,
            rules=self.rules,
            repository=self.repository,
            copies=copies,
            meter=Meter(job=job.id, clock=self.scene.clock, tell=lambda _progress: None),
            cancellation=cancellation or Cancellation(),
        )
        try:
            return drill.run(self.tools)
        finally:
            assert not (self.home / "scratch").exists() or list((self.home / "scratch").iterdir()) == []

    def script(self, text: str) -> None:
        hooks = self.folder / "hooks"
        hooks.mkdir(exist_ok=True)
        script = hooks / "books"
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
        (self.home / "limits.toml").write_text(f'hooks = "{hooks}"\n')
        self.plan = msgspec.structs.replace(self.plan, check="books")

    def hurt(self) -> None:
        """A bit of each pack."""
        for pack in self.scene.place.glob("data/*/*"):
            content = bytearray(pack.read_bytes())
            content[len(content) // 3] ^= 1
            pack.chmod(0o600)
            pack.write_bytes(content)

    def status(self) -> RepositoryStatus:
        return msgspec.structs.replace(self.repository.status(), drills=DrillBook(self.home).statuses(self.repository, self.rules))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.repository.close()


def test_what_a_drill_proves_is_a_fact_of_the_point_and_outlasts_the_catalog(site: Site) -> None:
    job = site.drill()
    assert job.state is State.SUCCEEDED
    assert [event.code for event in site.events] == ["drill-proven"]
    older, newest = site.repository.points()
    assert newest.proof is not None
    assert newest.proof.holds
    assert newest.proof.proven_files == 30
    assert older.proof is None
    site.repository.care.rebuild()
    again = site.repository.points()[1]
    assert again.proof == newest.proof
    # A tag of somebody's own changes nothing of it, and stock restic finds nothing amiss.
    site.scene.restic.check(read_data=True)
    (drill,) = site.status().drills
    assert drill.proven_at == newest.proof.proven_at
    assert not drill.overdue
    assert not drill_findings([site.status()])


def test_damage_is_named_with_its_points_and_the_point_is_doubted(site: Site) -> None:
    site.drill()
    site.hurt()
    job = site.drill()
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error.code == "repository-damaged"
    affected = [line for finding in job.findings for line in finding.affected]
    assert sum(line.startswith("point files1/documents of") for line in affected) >= 2
    newest = site.repository.points()[-1]
    assert newest.proof is not None
    assert newest.proof.proven_at is not None
    assert newest.proof.holds is False
    assert site.events[-1].code == "drill-failed"
    assert [finding.code for finding in drill_findings([site.status()])] == ["drill-failed"]


def test_a_book_that_cannot_be_written_takes_nothing_from_what_a_drill_proved(site: Site) -> None:
    (site.home / "repositories" / site.repository.name / "drills.json").mkdir()
    assert site.drill().state is State.SUCCEEDED
    proof = site.repository.points()[-1].proof
    assert proof is not None
    assert proof.holds
    assert site.events[-1].code == "drill-proven"


def test_damage_is_healed_from_a_copy_and_the_same_files_are_proven(site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.scene.place, tmp_path / "second" / "store")
    with closing(RepositoryScene(tmp_path / "second").open()) as copy:
        site.hurt()
        job = site.drill(copies=[copy.copy])
    assert job.report is not None
    assert "blobs-healed" in {step.code for step in job.report.steps}
    assert job.state is State.WARNINGS
    assert job.error is None
    newest = site.repository.points()[-1]
    assert newest.proof is not None
    assert newest.proof.holds
    assert site.drill().state is State.SUCCEEDED


def test_the_check_script_sees_what_was_restored_and_its_doubt_is_recorded(site: Site) -> None:
    seen = site.folder / "seen"
    site.script(f'test -f "$HOLDFAST_FOLDER{site.tree}/folder2/file29" && echo "$HOLDFAST_DATASET $HOLDFAST_POINT" > {seen}')
    assert site.drill().state is State.SUCCEEDED
    newest = site.repository.points()[-1]
    assert seen.read_text() == f"{LABEL} {newest.id}\n"
    site.script("echo the books do not balance; exit 1")
    job = site.drill()
    assert job.state is State.WARNINGS
    (finding,) = job.findings
    assert finding.code == "check-failed"
    assert finding.affected == ("the books do not balance",)
    assert finding.path == newest.id
    doubted = site.repository.points()[-1].proof
    assert doubted is not None
    assert doubted.holds is False
    (found,) = drill_findings([site.status()])
    assert "books" in found.message
    # A script that is not there proves nothing either.
    site.plan = msgspec.structs.replace(site.plan, check="absent")
    assert [finding.code for finding in site.drill().findings] == ["check-failed"]


def test_a_check_that_takes_too_long_is_killed(site: Site) -> None:
    site.script("exec sleep 1000")
    site.plan = msgspec.structs.replace(site.plan, timeout_s=0.0)
    assert [finding.code for finding in site.drill().findings] == ["check-failed"]


def test_without_room_a_drill_is_refused_and_with_little_it_is_shrunk(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drilling, "scratch_bytes", lambda _place: 2_000)
    job = site.drill()
    assert job.state is State.WARNINGS
    assert [finding.code for finding in job.findings] == ["drill-shrunk"]
    proof = site.repository.points()[-1].proof
    assert proof is not None
    assert proof.holds
    assert 0 < proof.proven_files < 30
    monkeypatch.setattr(drilling, "scratch_bytes", lambda _place: 3)
    with pytest.raises(NoSpace):
        site.drill()
    assert site.repository.points()[-1].proof == proof


def test_an_older_point_by_name_and_by_schedule(site: Site) -> None:
    older = site.repository.points()[0]
    site.drill(Drill(dataset=LABEL, point=older.id))
    assert [point.proof is not None for point in site.repository.points()] == [True, False]
    tried = set()
    entropy = SeededEntropy("schedule")
    for _ in range(40):
        job = DrillJob(
            task=Drill(dataset=DATASET, any_point=True),
            job=Job(id=JobId("k" * 32), node=VAULT, kind="drill", rule="main", state=State.RUNNING, created_at=START),
            rules=site.rules,
            repository=site.repository,
            copies=(),
            meter=Meter(job=JobId("k" * 32), clock=site.scene.clock, tell=lambda _progress: None),
            cancellation=Cancellation(),
        )
        tried.add(job.choose_point(entropy).seq)
    assert tried == {1, 2}


def test_nothing_there_is_no_failure_of_the_schedule_and_one_of_a_person(site: Site) -> None:
    job = site.drill(Drill(dataset="files9/nothing", any_point=True))
    assert job.state is State.SUCCEEDED
    assert [finding.code for finding in job.findings] == ["drill-nothing"]
    assert job.report is None
    with pytest.raises(UnknownName):
        site.drill(Drill(dataset="files9/nothing"))


def test_one_that_never_comes_is_overdue(site: Site) -> None:
    assert not drill_findings([site.status()])
    site.scene.clock.advance(WEEK_S * 1.2)
    (drill,) = site.status().drills
    assert drill.overdue
    assert [finding.code for finding in drill_findings([site.status()])] == ["drill-overdue"]
    site.drill()
    assert not drill_findings([site.status()])


def test_the_book_may_be_lost(site: Site) -> None:
    site.drill()
    before = site.status().drills[0].proven_at
    book = site.home / "repositories" / "main" / "drills.json"
    book.write_bytes(b"{")
    (drill,) = site.status().drills
    assert drill.last is None
    assert drill.proven_at == before


def test_a_cancelled_drill_records_nothing(site: Site) -> None:
    stop = Cancellation()
    stop.cancel()
    with pytest.raises(Cancelled):
        site.drill(cancellation=stop)
    assert site.repository.points()[-1].proof is None
    assert site.events == []
