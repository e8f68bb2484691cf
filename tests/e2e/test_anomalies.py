"""An attack on a machine that is backed up every so often and followed: told, marked, held, undone; and judged by a person."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.world import World, eventually, rsync_differences


@pytest.mark.big
def test_an_attack_is_told_and_the_last_clean_moment_is_one_word(office: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(100):
        (data / f"letter {number}.txt").write_text(f"Dear number {number},\n" * 60)
    office.run("trigger", "office", "--wait")
    # Seen by the owner before the next state comes: what is compared is one state with the next.
    home = office.home("vault") / "repositories" / "main" / "anomalies.json"
    eventually(home.exists, "the owner has looked")
    office.run("restore", "--dataset", "files1/documents", "--at", "last-clean", "--to", str(tmp_path / "no"), expect=2)
    office.run("anomalies")

    before = tmp_path / "before"
    office.run("restore", "--dataset", "files1/documents", "--to", str(before), "--node", "files1")
    for number in range(8):
        (data / f"letter {number}.txt").write_bytes(os.urandom(1_200))
    office.run("trigger", "office", "--wait")
    eventually(lambda: office.run("anomalies", expect=None).returncode == 3, "the attack is told")
    told = office.json("anomalies", expect=3)
    (anomaly,) = [each for each in told if each["repository"] == "main"]
    assert [(signal["kind"], signal["count"]) for signal in anomaly["signals"]] == [("encrypted", 8)]
    assert all("letter" in path for path in anomaly["paths"])
    assert "anomaly" in {finding["code"] for finding in office.json("status", expect=3)["findings"]}
    eventually(lambda: '"anomaly"' in office.run("logs", "--json").stdout, "it is in the log")
    clean, suspect = office.points("main")
    assert clean["held_until"]
    assert (clean["suspect"], suspect["suspect"]) == ("", anomaly["id"])

    out = tmp_path / "out"
    office.run("restore", "--dataset", "files1/documents", "--at", "last-clean", "--to", str(out), "--node", "files1")
    below = str(data).lstrip("/")
    assert rsync_differences(before / below, out / below) == ""

    def is_quiet() -> bool:
        """Each repository that stores it tells its own, as soon as it has it."""
        for each in office.json("anomalies", expect=None):
            if each["state"] == "open":
                office.run("anomaly", "dismiss", each["id"][:8])
        return len(office.points("offsite")) == 2 and office.run("anomalies", expect=None).returncode == 0

    eventually(is_quiet, "nobody waits for a word any more")
    assert not any(point.get("suspect") or point.get("held_until") for point in office.points("main"))
    assert "anomaly-judged" in office.run("logs", "--json").stdout
