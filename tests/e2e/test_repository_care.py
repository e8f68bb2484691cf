"""Damage in a repository, as its administrator meets it: named, healed by the source's next run, mended, and proven by stock restic."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.world import World, eventually


def _damage(store: Path) -> None:
    pack = max(store.glob("data/*/*"), key=lambda path: path.stat().st_size)
    content = bytearray(pack.read_bytes())
    content[len(content) // 3] ^= 16
    pack.chmod(0o600)
    pack.write_bytes(content)


def test_damage_is_named_and_the_source_sends_again_what_was_lost(office: World, tmp_path: Path) -> None:
    office.run("trigger", "office", "--wait")
    _damage(tmp_path / "vault" / "main")
    checked = json.loads(office.run("repository", "check", "main", "--read-data", "--json", expect=1).stdout)
    findings = {finding["code"]: finding for job in checked for finding in job["findings"]}
    assert {"pack-damaged", "blob-damaged"} <= findings.keys()
    assert any(line.startswith("point files1/documents of") for line in findings["blob-damaged"]["affected"])
    eventually(lambda: "damage-found" in office.run("logs", "--json").stdout, "the damage is in the log")
    # Without being told to, a repair changes nothing.
    assert office.run("repository", "repair", "main", expect=None).returncode != 0
    planned = json.loads(office.run("repository", "repair", "main", "--dry-run", "--json").stdout)
    assert all(job["report"]["dry_run"] and job["report"]["steps"] for job in planned)
    # Nothing changed at the source; its next run is full all the same, and brings what is missing.
    office.run("trigger", "office", "--wait")
    repaired = json.loads(office.run("repository", "repair", "main", "--yes", "--json").stdout)
    assert all(job["state"] == "succeeded" for job in repaired)
    office.run("repository", "check", "main", "--read-data")
    for _ in range(2):
        office.run("repository", "scrub", "main", "--part", "60%")
    assert office.json("repository", "stats", "main")["proven_at"]
    office.run("repository", "rebuild", "main")
    eventually(lambda: len(office.points("main")) >= 2, "the points of both runs are there")
    office.restic("main", "vault", "check", "--read-data")
