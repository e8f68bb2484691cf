"""Drills as people meet them: by command, by the rules, on another node, in status, in the list of points, and with the Master gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.test_healing import delivered, flip_every_blob
from tests.e2e.world import ONE_TO_TWO, World, by_hand_only, eventually


def with_drill(world: World, drill: str) -> None:
    text = ONE_TO_TWO.format(folder=world.folder, when=by_hand_only())
    assert "    operations:\n" in text
    world.apply(text.replace("    operations:\n", f"    drill: {drill}\n    operations:\n", 1), "office")


@pytest.mark.big
def test_damage_is_found_named_and_healed_and_a_script_may_doubt(office: World, tmp_path: Path) -> None:
    delivered(office)
    (job,) = office.json("drill", "files1/documents", "--repository", "main", "--sample", "all")
    assert job["state"] == "succeeded"
    proven = next(point for point in office.points("main"))
    assert proven["proof"]["proven_files"] >= 50
    assert "proven" in office.run("points", "--repository", "main").stdout

    (job,) = office.json("drill", "files1/documents", "--repository", "main", "--on", "dr", "--sample", "all")
    assert (job["kind"], job["state"]) == ("drill", "succeeded")
    assert [row["last"]["on"] for row in office.json("drills", "--repository", "main")] == ["dr"]
    assert office.points("main")[-1]["proof"]["proven_at"] > proven["proof"]["proven_at"]

    flip_every_blob(tmp_path / "vault" / "main")
    (job,) = office.json("drill", "files1/documents", "--repository", "main", "--sample", "all", expect=3)
    assert any(line.startswith("point files1/documents of") for finding in job["findings"] for line in finding.get("affected", ()))
    assert "blobs-healed" in {step["code"] for step in job["report"]["steps"]}
    (job,) = office.json("drill", "files1/documents", "--repository", "main", "--sample", "all")
    assert job["state"] == "succeeded"

    hooks = tmp_path / "hooks"
    hooks.mkdir()
    script = hooks / "books"
    script.write_text('#!/bin/sh\necho they do not balance on "$HOLDFAST_NODE"\nexit 1\n')
    script.chmod(0o755)
    for machine in ("vault", "dr"):
        office.set_limits(machine, f'hooks = "{hooks}"\nwrite = ["{tmp_path}"]\nread = ["{tmp_path}"]\n')
    with_drill(office, "{every: 7d, sample: 5 files, check: books, on: dr}")
    office.run("drill", "files1/documents", "--repository", "main", expect=3)
    (row,) = office.json("drills", "--repository", "main", expect=3)
    assert "they do not balance on dr" in row["last"]["problem"]
    assert not list((office.home("dr") / "trials").iterdir())
    assert "drill-failed" in {finding["code"] for finding in office.json("status", expect=3)["findings"]}
    eventually(lambda: "drill-failed" in office.run("logs", "--json").stdout, "the doubt is in the log")
    assert office.points("main")[-1]["proof"]["doubted_at"]

    # The Master is gone: its owner tries it all the same.
    script.write_text("#!/bin/sh\ntest -d $HOLDFAST_FOLDER\n")
    office.stop("master")
    (job,) = office.json("drill", "files1/documents", "--repository", "main", home="vault")
    assert job["state"] == "succeeded"
    (row,) = office.json("drills", home="vault")
    assert not row["last"].get("problem")
    assert not list((office.home("vault") / "scratch").iterdir())


def test_what_a_kill_leaves_in_the_scratch_is_gone_after_the_next_start(office: World) -> None:
    office.run("trigger", "office", "--wait")
    left = office.home("vault") / "scratch" / "drill-0"
    left.mkdir(parents=True)
    (left / "secret").write_bytes(os.urandom(100))
    office.kill("vault")
    office.restart("vault")
    eventually(lambda: not left.exists(), "the scratch is swept")


def test_a_drill_says_which_repositories_were_not_asked(office: World) -> None:
    """Where the owner of one does not answer it is told, and where nobody does it is an error: it ended without a word."""
    assert "nothing of files1/documents is stored yet" in office.run("drill", "files1/documents", expect=2).stderr
    delivered(office)
    office.stop("dr")
    tried = office.run("drill", "files1/documents", expect=3)
    assert "main: succeeded" in tried.stdout
    assert "not asked: repository offsite on dr" in tried.stderr
    office.stop("vault")
    assert "no repository that answers has anything of files1/documents" in office.run("drill", "files1/documents", expect=4).stderr
