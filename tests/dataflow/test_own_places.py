"""A node's HOME and its repositories are in no capture, by whatever way the walk or the rules come to them; and sources read no content."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from holdfast.core.errors import HoldfastError, UnknownName
from holdfast.core.ids import JobId
from holdfast.delivery.reading import RemoteReader
from holdfast.delivery.trials import tell_outcome
from holdfast.model.document import Classification
from holdfast.model.entry import Kind
from holdfast.model.jobs import State
from holdfast.model.moments import archive_of
from holdfast.model.point_changes import AskChangePoints, Forget, PointsChanged
from holdfast.model.rules import ReadGrant
from holdfast.node.drills.book import DrillBook
from holdfast.node.workers.messages import EventNews
from holdfast.wire.data_client import dial
from holdfast.wire.data_messages import DrillOutcome, OpenRead
from holdfast.wire.identity import load_credentials
from tests.dataflow.machines import World, order_for
from tests.dataflow.scene import Office, assert_good, office, restic


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Office:
    return office(world, tmp_path / "tree")


def capture_only(scene: Office, *paths: Path) -> None:
    classification = Classification(paths=tuple(str(path) for path in paths))
    scene.documents = msgspec.structs.replace(scene.documents, classification=classification)
    scene.plans["files1"].datasets[:] = [scene.documents]
    scene.activate()


def test_a_captured_tree_with_home_in_it(scene: Office, tmp_path: Path) -> None:
    """HOME lies in the tree, under a second name by a bind mount too."""
    tree, twin = scene.files1.home.parent, scene.files1.home.parent / "twin"
    (tree / "own.txt").write_text("mine")
    twin.mkdir()
    mounted = subprocess.run(["mount", "--bind", scene.files1.home, twin], check=False, capture_output=True).returncode == 0
    try:
        capture_only(scene, tree)
        scene.run(operations=("backup",))
        listed = restic(scene.vault, scene.main, "ls", "latest").splitlines()
    finally:
        if mounted:
            subprocess.run(["umount", twin], check=True)
    assert f"{tree}/own.txt" in listed
    ours = [line for line in listed if line.startswith((f"{scene.files1.home}/", f"{twin}/"))]
    assert ours == []


@pytest.mark.parametrize("inside", ["", "identity", "identity/key.pem"])
def test_a_root_inside_home_is_refused(scene: Office, inside: str) -> None:
    capture_only(scene, scene.files1.home / inside)
    job = scene.run(operations=("backup",))
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error.code == "outside-limits"


def read_as_source(scene: Office, opening: OpenRead) -> RemoteReader:
    channel = dial(f"127.0.0.1:{scene.vault.port}", load_credentials(scene.files1.home / "identity"), scene.vault.id, "Read")
    return RemoteReader(channel, opening)


def test_a_source_reads_names_back_and_no_content(scene: Office) -> None:
    assert_good(scene.run())
    (point,) = scene.vault.points(scene.main)
    opening = OpenRead(repository=scene.main.id, dataset=scene.documents.id)
    reader = read_as_source(scene, opening)
    chunks = [ref.id for entry in reader.entries() if entry.kind is Kind.FILE for ref in entry.chunks]
    assert chunks
    with pytest.raises(HoldfastError, match="no content"):
        list(reader.payloads(chunks[:1]))
    reader.close()
    with pytest.raises(HoldfastError, match="without an order"):
        read_as_source(scene, msgspec.structs.replace(opening, point=point.id))
    with pytest.raises(HoldfastError, match="without an order"):
        read_as_source(scene, msgspec.structs.replace(opening, dataset="f" * 32))
    rules = scene.vault.rules
    assert rules is not None
    grant = ReadGrant(reader=scene.files1.id, dataset=scene.documents.id, repository=scene.main.id)
    scene.vault.configure(msgspec.structs.replace(rules, reads=(grant,), generation=rules.generation + 1))
    with pytest.raises(HoldfastError, match="without an order"):
        read_as_source(scene, msgspec.structs.replace(opening, point=point.id))
    with pytest.raises(UnknownName, match="archive"):
        read_as_source(scene, msgspec.structs.replace(opening, point=archive_of(scene.documents.id)))
    reader = read_as_source(scene, opening)
    list(reader.entries())
    with pytest.raises(HoldfastError, match="no content"):
        list(reader.payloads(chunks[:1]))
    reader.close()


def test_what_a_drill_elsewhere_proved_is_recorded_though_its_point_has_gone_meanwhile(scene: Office) -> None:
    assert_good(scene.run())
    (point,) = scene.vault.points(scene.main)
    order = order_for(scene.files1, scene.vault, scene.main, point, {"drill": True, "reader_name": "files1"})
    channel = dial(f"127.0.0.1:{scene.vault.port}", load_credentials(scene.files1.home / "identity"), scene.vault.id, "Read")
    reader = RemoteReader(channel, OpenRead(repository=scene.main.id, dataset=scene.documents.id, order=order))
    assert isinstance(scene.vault.ask(AskChangePoints(change=Forget(newest=True), points=(point.id,), is_meant=True)), PointsChanged)
    assert scene.vault.points(scene.main) == ()
    tell_outcome(channel, DrillOutcome(job=JobId("7" * 32), files=3, size_bytes=12))
    reader.close()
    (record,) = DrillBook(scene.vault.home).records(scene.main.name)
    assert (record.point, record.files, record.problem, record.on) == (point.id, 3, "", "files1")
    assert "drill-proven" in [news.event.code for news in scene.vault.store_heard.of(EventNews)]
