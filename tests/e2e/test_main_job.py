"""The main job as an administrator does it: draw, activate, run, look, restore; and what the source pays for it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from holdfast.host.compare import compare_trees
from tests.e2e.world import World, rsync_differences, worker_pid

pytestmark = pytest.mark.e2e


def _read_by(pid: int) -> int:
    """Bytes this process has read by read(2) and its like."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


def test_run_look_and_restore(office: World) -> None:
    folder, data = office.folder, office.folder / "data"
    record = office.json("trigger", "office", "--wait")
    assert record["state"] == "succeeded"
    shutil.copytree(data, folder / "before", symlinks=True)
    (data / "sub" / "file 3.bin").write_text("changed")
    (data / "sub" / "file 4.bin").unlink()
    (data / "new ✓.txt").write_text("new")
    office.run("trigger", "office", "--wait")

    points = office.json("points")
    assert {p["repository"] for p in points} == {"main", "offsite"}
    assert all({"id", "dataset", "operation", "repository", "time", "files", "bytes"} <= set(p) for p in points)
    assert all(p["time"].endswith("Z") for p in points)
    first, second = [p for p in points if p["repository"] == "main"]
    assert [p["id"] for p in points if p["repository"] == "offsite"] == [first["id"], second["id"]]

    rows = office.json("ls", second["id"][:10], str(data))
    assert {Path(row["path"]).name for row in rows} == {"sub", "new ✓.txt"}
    versions = office.json("find", "file 4*", "--repository", "main", "--versions")
    assert [Path(row["path"]).name for row in versions] == ["file 4.bin"]
    assert versions[0]["valid_to"]
    found = office.json("find", "ILE 4", "--part", "-i", "--deleted", "--type", "file")
    assert [(Path(row["path"]).name, row["repository"], row["versions"]) for row in found["rows"]] == [
        ("file 4.bin", "main", 1),
        ("file 4.bin", "offsite", 1),
    ]
    assert (found["missing"], found["more"]) == ([], False)

    office.run("restore", first["id"], "--to", str(folder / "r1"), "--node", "files1")
    office.run("restore", "--dataset", "files1/documents", "--at", second["time"], "--to", str(folder / "r2"))
    assert list(compare_trees(os.fsencode(data), os.fsencode(folder / "r2" / str(data)[1:]))) == []
    assert (folder / "r1" / str(data)[1:] / "sub" / "file 4.bin").read_bytes() == (folder / "before/sub/file 4.bin").read_bytes()
    assert rsync_differences(data, folder / "dr/mirror") == ""

    dry = office.run("restore", second["id"], "--to", str(folder / "r3"), "--dry-run")
    assert "would be written" in dry.stdout
    assert not (folder / "r3").exists()
    assert office.json("status")["ok"]
    office.run("repository", "check", "main", "--read-data")
    for repository, owner in (("main", "vault"), ("offsite", "dr")):
        office.restic(repository, owner, "check", "--read-data")
        snapshots = json.loads(office.restic(repository, owner, "snapshots", "--json"))
        assert all(s["paths"] == [str(data)] for s in snapshots)


def test_each_source_byte_is_read_once_for_all_receivers(office: World) -> None:
    big = office.folder / "data" / "big.bin"
    big.write_bytes(os.urandom(64 << 20))
    there = sum(p.stat().st_size for p in (office.folder / "data").rglob("*") if p.is_file())
    pid = worker_pid(office, "files1", "source")
    before = _read_by(pid)
    record = office.json("trigger", "office", "--wait")
    read = _read_by(pid) - before
    assert there <= read <= there * 1.05, f"{read} bytes read for {there}"
    capture = [t for j in record["jobs"] for t in j.get("tasks", []) if t["name"] == "capture"]
    assert sum(t["counters"]["read_bytes"] for t in capture) == there

    before = _read_by(pid)
    office.run("trigger", "office", "--wait")
    assert _read_by(pid) - before < 1 << 20, "an unchanged file was opened"


def test_two_policies_that_overlap_read_once(office: World) -> None:
    folder = office.folder
    text = (folder / "environment.yaml").read_text()
    more = f"  part:\n    classification: {{paths: [{folder}/data/sub]}}\n    operations: {{backup: {{keep: {{last: 5}}}}}}\nflows:"
    text = text.replace("flows:", more).replace("policies: [documents]", "policies: [documents, part]")
    text = text.replace("carries: [documents/backup]}", "carries: [documents/backup, part/backup]}", 1)
    office.apply(text, "office")
    there = sum(p.stat().st_size for p in (folder / "data").rglob("*") if p.is_file())
    record = office.json("trigger", "office", "--wait")
    assert record["state"] == "succeeded"
    read = sum(t["counters"]["read_bytes"] for j in record["jobs"] for t in j.get("tasks", []) if t["name"] == "capture")
    assert read == there
    assert {p["dataset"] for p in office.points("main")} == {"files1/documents", "files1/part"}


def test_a_limited_uncompressed_mover(office: World) -> None:
    folder = office.folder
    text = (folder / "environment.yaml").read_text()
    office.apply(text.replace("carries: [documents/backup]}", "carries: [documents/backup], limit: 2MB/s, compression: off}", 1), "office")
    (folder / "data" / "zeros.bin").write_bytes(bytes(range(256)) * 16_000)
    record = office.json("trigger", "office", "--wait")
    tasks = [t for j in record["jobs"] for t in j.get("tasks", []) if t.get("receiver") == "vault" and t["name"] != "capture"]
    assert sum(t["counters"]["sent_bytes"] for t in tasks) > 4_000_000
    assert max(t["duration_s"] for t in tasks) > 1.5


def test_export_gives_the_document_back_with_its_comments(office: World) -> None:
    text = (office.folder / "environment.yaml").read_text() + "# the last word\n"
    (office.folder / "commented.yaml").write_text(text)
    office.run("apply", str(office.folder / "commented.yaml"))
    assert office.run("export").stdout == text
    assert office.run("plan", str(office.folder / "commented.yaml")).stdout.strip() == "nothing changes"
