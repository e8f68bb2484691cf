"""The archive operation from the source's disk to the repository and back: real nodes, real transports, stock restic."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from holdfast.capture.reader import RACY_NS
from holdfast.model.archive_questions import ArchivePlanned, ArchiveTold, AskArchive, AskArchiveHold, AskArchivePlan, PlannedArchive
from holdfast.model.archiving import ToArchive, Verdict, parse_stub
from holdfast.model.jobs import Job, Severity, State
from holdfast.model.moments import archive_of
from holdfast.model.questions import Failed
from holdfast.model.recalling import AskRecall
from holdfast.model.rules import ArchiveRule, DatasetRule, OperationRule, ReadGrant, StoredOperation
from holdfast.node.workers.messages import AskWorker, RunRecall, WorkerAnswer
from holdfast.operations.archiving import run
from holdfast.operations.archiving.letting_go import Leaving, Outcome
from holdfast.testing.waiting import wait_for
from tests.dataflow.machines import World, ended
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, assert_rsync_equal, counters, office, restic

YEAR_S = 365 * 86_400.0


def archiving(scene: Office, rule: ArchiveRule, *, keep_s: float | None = 7 * YEAR_S) -> DatasetRule:
    """The office, whose documents are archived in its repository as well."""
    operation = OperationRule(name="archive", kind="archive", archive=rule)
    documents = msgspec.structs.replace(scene.documents, operations=(*scene.documents.operations, operation))
    stored = StoredOperation(name="archive", kind="archive", keep_s=keep_s)
    action = msgspec.structs.replace(scene.store_action, operations=(*scene.store_action.operations, stored))
    vault, files1 = scene.plans["vault"], scene.plans["files1"]
    vault.receives[:] = [msgspec.structs.replace(each, actions=(action,)) for each in vault.receives]
    files1.datasets[:] = [documents]
    files1.deliveries[:] = [
        msgspec.structs.replace(each, operations=(*each.operations, "archive")) if each.id == scene.deliveries["vault"].id else each
        for each in files1.deliveries
    ]
    scene.documents = documents
    scene.activate()
    return documents


def lineage(scene: Office) -> list[dict[str, object]]:
    found: list[dict[str, object]] = msgspec.json.decode(restic(scene.vault, scene.main, "snapshots", "--no-lock", "--json"))
    return [each for each in found if "hf:kind=archive" in each["tags"]]  # type: ignore[operator]


def listed(scene: Office, snapshot: str) -> list[str]:
    """What stock restic says of each path of the dataset; the folders above it are written to by others, too."""
    lines = restic(scene.vault, scene.main, "ls", snapshot, "--no-lock", "--json", os.fspath(scene.source)).splitlines()
    return [line for line in lines if f'"path":"{scene.source}' in line and '"struct_type":"node"' in line]


def codes(job: Job) -> set[str]:
    return {finding.code for finding in job.findings if finding.severity is not Severity.INFO}


def old_files(source: Path) -> dict[Path, bytes]:
    """Plain files with one name."""
    paths = (path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    return {path: path.read_bytes() for path in paths if path.lstat().st_nlink == 1 and path.parent.name != "odd"}


def planned(scene: Office, limit: int) -> PlannedArchive:
    scene.files1.source.handle(AskWorker(number=limit, question=AskArchivePlan(dataset=scene.documents.label, limit=limit)))
    answer = scene.files1.source_heard.wait(WorkerAnswer, lambda answer: answer.number == limit).answer
    assert isinstance(answer, ArchivePlanned)
    (plan,) = answer.plans
    return plan


def until_certain(path: Path) -> None:
    """What changed just before it is read is looked at again by the next run, and archived by that one at the earliest."""
    wait_for(lambda: time.time_ns() - path.stat().st_ctime_ns > RACY_NS)


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    return office(world, tmp_path / "tree")


def test_old_files_leave_a_stub_and_everything_else_stays_as_it_was(scene: Office, tmp_path: Path) -> None:
    shutil.rmtree(scene.source / "odd")
    archiving(scene, ArchiveRule(older_than_s=YEAR_S))
    before = old_files(scene.source)
    (scene.source / "fresh").write_bytes(b"fresh")
    job = scene.run()
    assert_good(job)
    assert counters(job, "archive files1/documents").removed == len(before)
    recall = os.fsencode(scene.files1.home / "recall")
    for path in before:
        stub = parse_stub(recall, os.readlink(os.fsencode(path)))
        assert stub is not None
        assert (stub.dataset, stub.path) == (scene.documents.id, os.fsencode(path))
    assert (scene.source / "fresh").read_bytes() == b"fresh"
    assert not list(scene.source.rglob(".holdfast*"))

    # A stub is captured as the file it stands for: nothing changes in the repository or the mirror.
    again = scene.run()
    assert_good(again)
    folders = sum(path.is_dir() for path in (scene.source, *scene.source.rglob("*")))
    assert counters(again, "capture").changed <= folders
    assert counters(again, "capture").read_bytes == 0
    assert [task.name for task in again.tasks if task.name.startswith("archive")] == []
    for path, content in before.items():
        assert (scene.copy / path.relative_to(scene.source)).read_bytes() == content
    point = scene.vault.points(scene.main)[-1]
    assert_good(scene.vault.restore_here(point, tmp_path / "restored"))
    for path, content in before.items():
        assert Path(f"{tmp_path}/restored{path}").read_bytes() == content

    # Stock restic gives back all of it, as it was.
    (snapshot,) = lineage(scene)
    restic(scene.vault, scene.main, "restore", str(snapshot["id"]), "--no-lock", "--target", str(tmp_path / "lineage"))
    (time,) = (tmp_path / "lineage").iterdir()
    for path, content in before.items():
        restored = Path(f"{time}{path}")
        assert restored.read_bytes() == content
        assert restored.lstat().st_mtime_ns == path.lstat().st_mtime_ns
    assert_restic_clean(scene.vault, scene.main)


def test_a_stub_that_is_deleted_is_a_path_that_is_deleted(scene: Office) -> None:
    shutil.rmtree(scene.source / "odd")
    archiving(scene, ArchiveRule(older_than_s=YEAR_S))
    assert_good(scene.run())
    (scene.source / "text").unlink()
    # What a link by another name says is a link, and no file.
    (scene.source / "tool").rename(scene.source / "moved")
    until_certain(scene.source)
    assert_good(scene.run())
    assert not (scene.copy / "text").exists()
    assert (scene.copy / "moved").is_symlink()
    assert_good(scene.run())
    *_, before, after = (listed(scene, point.snapshot) for point in scene.vault.points(scene.main))
    assert before
    assert before == after


def test_a_file_that_was_recalled_stays_until_it_is_changed(scene: Office) -> None:
    shutil.rmtree(scene.source / "odd")
    archiving(scene, ArchiveRule(larger_than_bytes=100))
    assert_good(scene.run())
    path = scene.source / "text"
    assert path.is_symlink()
    scene.plans["vault"].reads.append(ReadGrant(reader=scene.files1.id, dataset=scene.documents.id, repository=scene.main.id))
    scene.activate()
    job = scene.files1.new_job("recall", "all")
    scene.files1.source.handle(RunRecall(job=job, ask=AskRecall(paths=(os.fsencode(path),), recursive=False)))
    assert ended(scene.files1.source_heard, job).state is State.SUCCEEDED
    for _ in range(2):
        assert_good(scene.run())
        assert not path.is_symlink()
    os.utime(path)
    until_certain(path)
    assert_good(scene.run())
    assert path.is_symlink()


def test_nothing_is_left_and_the_mirror_keeps_what_it_has(scene: Office) -> None:
    shutil.rmtree(scene.source / "odd")
    archiving(scene, ArchiveRule(older_than_s=YEAR_S, larger_than_bytes=100, leave="nothing"))
    before = {path: content for path, content in old_files(scene.source).items() if len(content) > 100}
    assert_good(scene.run())
    assert not any(path.exists() for path in before)
    job = scene.run()
    assert_good(job)
    assert counters(job, "capture").removed == len(before)
    for path, content in before.items():
        assert (scene.copy / path.relative_to(scene.source)).read_bytes() == content
    assert scene.vault.points(scene.main)[-1].files < scene.vault.points(scene.main)[0].files
    reader_of_archive(scene, len(before))


def reader_of_archive(scene: Office, files: int) -> None:
    store = scene.vault.store
    repository = store._repositories.get(scene.main.id)  # type: ignore[union-attr]
    reader = repository.reader(repository.point(archive_of(scene.documents.id)))
    try:
        assert sum(entry.kind.value == "file" for entry in reader.entries()) == files
    finally:
        reader.close()


def test_a_copy_is_archived_once_and_stays(scene: Office) -> None:
    shutil.rmtree(scene.source / "odd")
    archiving(scene, ArchiveRule(older_than_s=YEAR_S, leave="copy"))
    before = old_files(scene.source)
    job = scene.run()
    assert_good(job)
    assert counters(job, "archive files1/documents").files == len(before)
    assert old_files(scene.source) == before
    assert [task.name for task in scene.run().tasks if task.name.startswith("archive")] == []
    assert planned(scene, 1).files == 0
    text = scene.source / "text"
    text.write_bytes(b"changed")
    os.utime(text, ns=(10**18, 10**18))
    until_certain(text)
    assert counters(scene.run(), "archive files1/documents").files == 1
    reader_of_archive(scene, len(before) + 1)
    assert_rsync_equal(scene.source, scene.copy)


def test_the_odd_ones_are_archived_too_or_it_is_said_why_not(scene: Office) -> None:
    archiving(scene, ArchiveRule(larger_than_bytes=0))
    job = scene.run()
    assert job.state in (State.SUCCEEDED, State.WARNINGS)
    assert {finding.code for finding in job.findings} >= {"archive-hard-link"}
    assert_restic_clean(scene.vault, scene.main)


def test_a_database_stays_and_that_is_said(scene: Office) -> None:
    """What is stored of it is a copy, which its files are not equal to: so nothing may be let go of, and no plan says that it will be."""
    shutil.rmtree(scene.source / "odd")
    for name in ("at rest.db", "in use.db"):
        with closing(sqlite3.connect(scene.source / name, isolation_level=None)) as database:
            database.execute("CREATE TABLE t (x)")
        os.utime(scene.source / name, (1, 1))
    classification = msgspec.structs.replace(scene.documents.classification, application="sqlite")
    scene.documents = msgspec.structs.replace(scene.documents, classification=classification)
    archiving(scene, ArchiveRule(older_than_s=YEAR_S))
    with closing(sqlite3.connect(scene.source / "in use.db", isolation_level=None)) as database:
        database.execute("SELECT * FROM t").fetchall()
        until_certain(scene.source / "in use.db")
        assert_good(scene.run(operations=("backup", "replicate")))
        assert_good(scene.run(operations=("backup", "replicate")))
        assert [file.path for file in planned(scene, 1_000).first if file.path.endswith(".db")] == []
        job = scene.run()
        assert {finding.path for finding in job.findings if finding.code == "archive-database"} == {
            str(scene.source / name) for name in ("at rest.db", "in use.db")
        }
    assert not (scene.source / "in use.db").is_symlink()
    assert (scene.source / "text").is_symlink()
    assert_restic_clean(scene.vault, scene.main)


def test_an_owner_that_is_away_keeps_every_file_on_the_source(scene: Office) -> None:
    shutil.rmtree(scene.source / "odd")
    archiving(scene, ArchiveRule(older_than_s=YEAR_S))
    before = old_files(scene.source)
    scene.vault.store.stop()
    job = scene.run()
    assert job.state is State.FAILED
    assert old_files(scene.source) == before


def test_a_source_without_the_grant_is_refused(scene: Office) -> None:
    shutil.rmtree(scene.source / "odd")
    archiving(scene, ArchiveRule(older_than_s=YEAR_S))
    scene.plans["vault"].receives[:] = [
        msgspec.structs.replace(each, actions=(scene.store_action,)) for each in scene.plans["vault"].receives
    ]
    scene.activate()
    before = old_files(scene.source)
    job = scene.run()
    task = next(task for task in job.tasks if task.name.startswith("archive"))
    assert task.error is not None
    assert task.error.code == "not-granted"
    assert old_files(scene.source) == before


def test_files_go_where_limits_let_them_be_written_only(scene: Office) -> None:
    shutil.rmtree(scene.source / "odd")
    (scene.files1.home / "limits.toml").write_text('read = ["/"]\nwrite = ["/nowhere"]\n')
    archiving(scene, ArchiveRule(older_than_s=YEAR_S))
    before = old_files(scene.source)
    job = scene.run()
    task = next(task for task in job.tasks if task.name.startswith("archive"))
    assert task.error is not None
    assert task.error.code == "outside-limits"
    assert old_files(scene.source) == before


def test_a_byte_that_changes_between_the_owners_word_and_the_removal_stays(scene: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its size and time as before: the change is of the moment in which only the owner's word was waited for."""
    shutil.rmtree(scene.source / "odd")
    archiving(scene, ArchiveRule(older_than_s=YEAR_S))
    text, usual = scene.source / "text", run.let_go

    def changing(files: Sequence[Leaving]) -> Generator[tuple[Leaving, Outcome], None, None]:
        if any(file.move.path == os.fsencode(text) for file in files):
            times = text.lstat()
            with text.open("r+b") as file:
                file.write(b"T")
            os.utime(text, ns=(times.st_atime_ns, times.st_mtime_ns))
        return usual(files)

    monkeypatch.setattr(run, "let_go", changing)
    job = scene.run()
    assert_good(job)
    assert {finding.path for finding in job.findings if finding.code == "archive-changed"} == {str(text)}
    assert text.read_bytes() == b"The same line again and again\n" + b"the same line again and again\n" * 19_999
    monkeypatch.undo()
    assert_good(scene.run())
    assert text.is_symlink()
    assert (scene.copy / "text").read_bytes().startswith(b"The same")


def test_a_folder_that_goes_between_the_owners_word_and_the_removal_keeps_no_other_file(
    scene: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(scene.source / "odd")
    archiving(scene, ArchiveRule(older_than_s=YEAR_S, leave="nothing"))
    before = old_files(scene.source)
    folder = next(path.parent for path in before if path.parent != scene.source)
    away = scene.source.parent / "away"
    put = run.RemoteArchive.put

    def move(owner: run.RemoteArchive, at_ns: int, files: Sequence[ToArchive]) -> list[Verdict]:
        verdicts = put(owner, at_ns, files)
        folder.rename(away)
        return verdicts

    monkeypatch.setattr(run.RemoteArchive, "put", move)
    job = scene.run()
    assert job.error is None
    kept = {path for path in before if folder in path.parents}
    assert {path for path in before if path.exists()} == set()
    assert all((away / path.relative_to(folder)).read_bytes() == before[path] for path in kept)
    assert counters(job, "archive files1/documents").removed == len(before) - len(kept)
    assert {finding.code for finding in job.findings} >= {"archive-changed"}


def test_what_is_archived_is_told_planned_and_held(scene: Office) -> None:
    shutil.rmtree(scene.source / "odd")
    documents = archiving(scene, ArchiveRule(older_than_s=YEAR_S, larger_than_bytes=1_000))
    before = {path: content for path, content in old_files(scene.source).items() if len(content) > 1_000}
    assert_good(scene.run(operations=("backup", "replicate")))
    plan = planned(scene, 3)
    assert (plan.files, plan.size_bytes, len(plan.first)) == (len(before), sum(map(len, before.values())), 3)
    assert_good(scene.run())

    told = scene.vault.ask(AskArchive(dataset=documents.label, limit=5))
    assert isinstance(told, ArchiveTold)
    assert (told.datasets[0].files, told.datasets[0].keep_s, len(told.files), told.more) == (len(before), 7 * YEAR_S, 5, True)
    assert all(file.until is not None for file in told.files)
    held = scene.vault.ask(AskArchiveHold(dataset=documents.id, name="case 7", path=os.fsencode(scene.source)))
    assert isinstance(held, ArchiveTold)
    assert [hold.name for hold in held.datasets[0].holds] == ["case 7"]
    text = scene.vault.ask(AskArchive(dataset=documents.label, path=os.fsencode(scene.source / "text")))
    assert isinstance(text, ArchiveTold)
    assert [(file.path, file.holds) for file in text.files] == [(str(scene.source / "text"), ("case 7",))]
    released = scene.vault.ask(AskArchiveHold(dataset=documents.label, name="case 7", release=True))
    assert isinstance(released, ArchiveTold)
    assert released.datasets[0].holds == ()
    nothing = scene.vault.ask(AskArchive(dataset="files1/other"))
    assert isinstance(nothing, Failed)
    assert nothing.error.code == "unknown-name"
