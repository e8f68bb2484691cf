"""What the doctor makes of facts: one sample of each finding that is not all right, and of each that is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.core.errors import ErrorFacts
from holdfast.model.jobs import Finding, Severity
from holdfast.node.doctor import judged
from holdfast.node.doctor.reaching import host_and_port

NOW = datetime(2026, 5, 1, tzinfo=UTC)
GIB = 1 << 30
INFO, WARNING, ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR


@pytest.mark.parametrize(
    ("finding", "code", "severity", "words"),
    [
        (judged.clock(-3), "clock", INFO, "agrees"),
        (judged.clock(-42), "clock", WARNING, "42s behind"),
        (judged.clock(4000), "clock", ERROR, "ahead of"),
        (judged.rights(0, ()), "rights", INFO, "everything"),
        (judged.rights(1000, ("CAP_CHOWN",)), "rights", WARNING, "user 1000 without CAP_CHOWN"),
        (judged.watching("", 0, 8192), "watching", INFO, "fanotify"),
        (judged.watching("not permitted", 0, 8192), "watching", INFO, "0 followed"),
        (judged.watching("not permitted", 100, 8192), "watching", WARNING, "100 followed folders"),
        (judged.watching("not permitted", 8193, 8192), "watching", ERROR, "8,192 folders where 8,193"),
        (judged.space("HOME", "/h", 5 * GIB, 9 * GIB), "disk-space", INFO, "5.0 GiB of 9.0 GiB"),
        (judged.space("HOME", "/h", GIB, 9 * GIB), "disk-space", WARNING, "1.0 GiB"),
        (judged.space("HOME", "/h", 1000, 9 * GIB), "disk-space", ERROR, "HOME"),
        (judged.memory(GIB, 2 * GIB), "memory", INFO, "available"),
        (judged.memory(1 << 20, 2 * GIB), "memory", WARNING, "1.0 MiB"),
        (judged.reach("node vault", "vault:7442", ""), "reach", INFO, "answers"),
        (judged.reach("node vault", "vault:7442", "refused"), "reach", ERROR, "vault:7442: refused"),
        (judged.certificate(NOW + timedelta(days=9), NOW, is_due=False), "certificate", INFO, "2026-05-10"),
        (judged.certificate(NOW + timedelta(days=1), NOW, is_due=True), "certificate", WARNING, "should have been renewed"),
        (judged.certificate(NOW, NOW, is_due=True), "certificate", ERROR, "ended on 2026-05-01"),
        (judged.fuse(True, True), "fuse", INFO, "mounted"),
        (judged.fuse(False, True), "fuse", WARNING, "/dev/fuse"),
        (judged.fuse(True, False), "fuse", WARNING, "fusermount3"),
        (judged.kernel("6.1.0", (6, 1)), "kernel", INFO, "6.1.0"),
        (judged.kernel("5.10.0", (5, 10)), "kernel", WARNING, "older than 5.17"),
        (judged.version("1.2.3", "1.2.4"), "version", INFO, "1.2.3 and 1.2.4"),
        (judged.version("1.2.3", "1.3.0"), "version", WARNING, "1.3.0"),
        (judged.version("1.2.3", "1.4.0"), "version", ERROR, "1.4.0"),
        (judged.limits(())[0], "limits", INFO, "all that"),
        (judged.limits((ErrorFacts("outside-limits", "/srv may not be read"),))[0], "limits", ERROR, "/srv"),
    ],
)
def test_a_fact_is_judged(finding: Finding, code: str, severity: Severity, words: str) -> None:
    assert (finding.code, finding.severity) == (code, severity)
    assert words in finding.message
    assert bool(finding.hint) == (severity is not INFO) or code in ("watching", "limits")


def test_file_systems_are_held_against_what_the_policy_wants() -> None:
    def at(kind: str, wants: bool, can: bool, shares: bool = False) -> Finding:
        return judged.file_system("/srv", kind, wants_snapshot=wants, can_snapshot=can, shares=shares)

    assert at("", False, False).severity is ERROR
    assert "of which no snapshot" in at("ext4", True, False).message
    assert at("btrfs", True, True, True).message == "/srv is on btrfs, which has snapshots and shared content"
    assert at("ext4", False, False).severity is INFO


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("vault.example.net:7442", ("vault.example.net", 7442)),
        ("[::1]:7442", ("::1", 7442)),
        ("https://s3.example.net", ("s3.example.net", 443)),
        ("http://10.0.0.1:9000/x", ("10.0.0.1", 9000)),
        ("vault:99999999", ("vault", 0)),
    ],
)
def test_addresses_are_taken_apart(address: str, place: tuple[str, int]) -> None:
    assert host_and_port(address) == place
