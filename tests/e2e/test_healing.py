"""What one repository has lost comes back from the copies that its flow has elsewhere: another machine's repository, and a mirror."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.e2e.world import World, eventually, rsync_differences


def flip_every_blob(store: Path, kind: str = "largest") -> None:
    """Bits all over the largest pack, or all over the others, which hold the listings of folders."""
    packs = sorted(store.glob("data/*/*"), key=lambda path: path.stat().st_size)
    for pack in packs[-1:] if kind == "largest" else packs[:-1]:
        content = bytearray(pack.read_bytes())
        for at in range(5, len(content) - 64, 40):
            content[at] ^= 16
        pack.chmod(0o600)
        pack.write_bytes(content)


def steps_of(answer: Any, code: str) -> list[str]:
    return [step["message"] for job in answer for step in job["report"]["steps"] if step["code"] == code]


def delivered(office: World) -> None:
    """One point of it in both repositories and the mirror, with chunks that take more room than the listings."""
    for number in range(20):
        (office.folder / "data" / "sub" / f"noise {number}").write_bytes(os.urandom(5_000))
    office.run("trigger", "office", "--wait")
    eventually(lambda: len(office.points("offsite")) == len(office.points("main")), "the cascade has brought the point")


def test_a_damaged_repository_is_healed_from_another_machine_and_from_a_mirror(office: World, tmp_path: Path) -> None:
    delivered(office)
    main, offsite = tmp_path / "vault" / "main", tmp_path / "dr" / "offsite"
    flip_every_blob(main)
    planned = office.json("repository", "repair", "main", "--dry-run")
    assert [message for message in steps_of(planned, "blobs-healed") if "repository offsite on dr" in message], planned
    assert steps_of(planned, "blobs-lost") == []
    repaired = office.json("repository", "repair", "main", "--yes")
    assert [message for message in steps_of(repaired, "blobs-healed") if "repository offsite on dr" in message], repaired
    assert steps_of(repaired, "copy-not-asked") == []
    office.restic("main", "vault", "check", "--read-data")

    # The other copy is damaged, too: of chunks the mirror has the content, of listings nobody else has any.
    flip_every_blob(main)
    flip_every_blob(offsite)
    repaired = office.json("repository", "repair", "main", "--yes")
    assert [message for message in steps_of(repaired, "blobs-healed") if "mirror copy on dr" in message], repaired
    office.restic("main", "vault", "check", "--read-data")
    # And back again, from the one that was healed.
    repaired = office.json("repository", "repair", "offsite", "--yes")
    assert [message for message in steps_of(repaired, "blobs-healed") if "repository main on vault" in message], repaired
    office.restic("offsite", "dr", "check", "--read-data")

    flip_every_blob(main, "others")
    repaired = office.json("repository", "repair", "main", "--yes")
    assert [message for message in steps_of(repaired, "blobs-healed") if "repository offsite on dr" in message], repaired
    office.restic("main", "vault", "check", "--read-data")
    point = office.points("main")[-1]["id"]
    office.run("restore", point, "--to", str(tmp_path / "out"), "--node", "files1")
    assert rsync_differences(tmp_path / "data", tmp_path / "out" / str(tmp_path / "data").lstrip("/")) == ""


def test_a_wrong_byte_in_the_mirror_heals_nothing(office: World, tmp_path: Path) -> None:
    """The file has the size and the time that the records say; only its content is another."""
    delivered(office)
    flip_every_blob(tmp_path / "vault" / "main")
    flip_every_blob(tmp_path / "dr" / "offsite")
    for path in (tmp_path / "dr" / "mirror" / "sub").iterdir():
        found = path.stat()
        with path.open("r+b") as file:
            content = file.read()
            file.seek(0)
            file.write(bytes(byte ^ 1 for byte in content))
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    failed = office.json("repository", "repair", "main", "--yes", expect=None)
    assert [step for job in failed for step in job["report"]["steps"] if step["code"] == "blobs-healed"] == [], failed
    assert {job["state"] for job in failed} == {"failed"}


def test_a_scrub_asks_the_other_copies_at_once(office: World, tmp_path: Path) -> None:
    delivered(office)
    flip_every_blob(tmp_path / "vault" / "main")
    scrubbed = office.json("repository", "scrub", "main", "--part", "100%", expect=None)
    assert [message for message in steps_of(scrubbed, "blobs-healed") if "repository offsite on dr" in message], scrubbed
    # What is damaged still lies there, and nothing is lost any more: a restore is whole, and the next run is not full.
    point = office.points("main")[-1]["id"]
    office.run("restore", point, "--to", str(tmp_path / "out"), "--node", "files1")
    assert rsync_differences(tmp_path / "data", tmp_path / "out" / str(tmp_path / "data").lstrip("/")) == ""
    eventually(lambda: "were had from other copies" in office.run("logs", "--json").stdout, "the log says so")
    office.run("repository", "repair", "main", "--yes")
    office.restic("main", "vault", "check", "--read-data")


def test_a_reader_that_meets_damage_has_it_healed_by_the_next_run(office: World, tmp_path: Path) -> None:
    delivered(office)
    flip_every_blob(tmp_path / "vault" / "main")
    point = office.points("main")[-1]["id"]
    # On its own machine, so that it is read from this repository.
    result = office.run("restore", point, "--to", str(tmp_path / "out"), home="vault", expect=3)
    assert "copy-healed" in result.stdout + result.stderr
    assert rsync_differences(tmp_path / "data", tmp_path / "out" / str(tmp_path / "data").lstrip("/")) == ""
    eventually(lambda: "damage-found" in office.run("logs", "--json").stdout, "the damage is in the log")
    office.run("trigger", "office", "--wait")
    office.run("restore", point, "--to", str(tmp_path / "again"), home="vault")
    assert rsync_differences(tmp_path / "data", tmp_path / "again" / str(tmp_path / "data").lstrip("/")) == ""
    assert json.loads(office.run("repository", "repair", "main", "--yes", "--json").stdout)
    office.restic("main", "vault", "check", "--read-data")
