"""Data comes back out of a mirror: named, because it is near, because nothing else is alive, and on its own machine without a Master."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.test_restores_held_and_undone import finding
from tests.e2e.world import World, by_hand_only, rsync_differences


def test_a_mirror_is_a_copy_to_restore_from(office: World, tmp_path: Path) -> None:
    data, mirror = tmp_path / "data", tmp_path / "dr" / "mirror"
    name = f"dr:{mirror}"
    office.run("trigger", "office", "--wait")
    (row,) = office.json("mirrors", "--dataset", "files1/documents")["mirrors"]
    assert (row["name"], row["online"], row["stand"]["files"]) == (name, True, 30)
    assert name in office.run("mirrors").stdout
    explained = office.json("explain", str(data / "sub" / "file 3.bin"))
    assert [(m["name"], m["path"]) for m in explained["mirrors"]] == [(name, f"{mirror}/sub/file 3.bin")]
    assert f"restore --from {name}" in office.run("explain", str(data / "sub" / "file 3.bin")).stdout

    def restored(to: str, *words: str, expect: int = 0, home: str = "master") -> dict[str, object]:
        target = tmp_path / to
        job = json.loads(
            office.run("restore", "--dataset", "files1/documents", "--to", str(target), *words, "--json", home=home, expect=expect).stdout
        )
        assert rsync_differences(data, target / str(data).lstrip("/")) == ""
        return dict(job)

    # Named: the repository says what the state is, and the mirror gives the bytes. One file there is not what it was.
    named = restored("named", "--from", name)
    assert name in finding(named, "copy-chosen")
    assert not finding(named, "mirror-alone")
    damaged = mirror / "sub" / "file 7.bin"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"x" * len(whole))
    words = ("restore", "--dataset", "files1/documents", "--to", str(tmp_path / "part"), "--from", name)
    assert "1 failed" in office.run(*words, expect=3).stdout
    assert "does not stand in the mirror" in office.run(*words, "--conflict", "skip", expect=3).stderr
    # To its own machine it is as near as the repository that is there.
    near = restored("near", "--node", "dr")
    assert finding(near, "copy-chosen")
    refused = office.run("restore", "--dataset", "files1/documents", "--at", "2020-01-01T00:00:00Z", *words[3:], expect=5)
    assert "is later" in refused.stderr


def test_where_no_repository_is_alive_it_is_the_only_copy(office: World, tmp_path: Path) -> None:
    data, mirror = tmp_path / "data", tmp_path / "dr" / "mirror"
    (document := tmp_path / "with a mirror.yaml").write_text(
        f"""\
environment: test
nodes: {{files1: {{}}, vault: {{}}, dr: {{}}}}
repositories: {{main: {{node: vault, location: {tmp_path}/vault/main}}}}
policies:
  documents:
    classification: {{paths: [{data}]}}
    operations: {{replicate: {{removed: follow, {by_hand_only()}}}, backup: {{keep: {{last: 5}}}}}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
      copy: {{mirror: dr, path: {mirror}}}
    movers:
      - {{from: files, to: store, carries: [documents/backup]}}
      - {{from: files, to: copy, carries: [documents/replicate]}}
"""
    )
    office.run("apply", str(document), "--yes", "--activate")
    office.run("trigger", "office", "--wait")
    (data / "sub" / "late").write_text("late")
    office.run("trigger", "office", "--wait")
    office.stop("vault")
    target = tmp_path / "alone"
    words = ("restore", "--dataset", "files1/documents", "--json")
    job = json.loads(office.run(*words, "--to", str(target), "--limit", "50MB/s").stdout)
    assert "mirror's own records" in finding(job, "mirror-alone")
    assert rsync_differences(data, target / str(data).lstrip("/")) == ""
    assert office.json("explain", str(data / "sub"), expect=3)["mirrors"][0]["path"] == f"{mirror}/sub"
    # And on its own machine without the Master.
    office.stop("master")
    target = tmp_path / "own"
    job = json.loads(office.run(*words, "--to", str(target), str(data / "sub"), home="dr").stdout)
    assert "mirror's own records" in finding(job, "mirror-alone")
    assert rsync_differences(data / "sub", target / str(data / "sub").lstrip("/")) == ""
    assert office.run("mirrors", home="dr").stdout.count(str(mirror)) == 1
    assert "no mirror" in office.run(*words, "--to", str(target), "--from", "dr:/other", home="dr", expect=2).stderr
