"""Classification: gitignore patterns and limits."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess

import pytest

from holdfast.capture.classify import Classifier, text_of
from holdfast.model.document import Classification


def _chosen(machine, **classification):
    docs = machine.dataset("docs" + str(len(machine.rules)), **classification)
    machine.run(docs)
    return {os.fsdecode(path[len(machine.root) + 1 :]) for path in machine.below(docs)} - {""}


def _write(machine, *names, size=1):
    for name in names:
        path = machine.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)


def test_patterns_equal_gits(machine):
    names = [
        "a.tmp",
        "keep.tmp",
        "sub/b.tmp",
        "build/x",
        "sub/build/y",
        "top/z",
        "sub/top/z",
        "doc/a/b/c.txt",
        "file\n",
        "a b",
        "sub/.cache/q",
    ]
    _write(machine, *names)
    patterns = ("*.tmp", "!keep.tmp", "build/", "/top", "doc/**/c.txt", ".cache/")
    subprocess.run(["git", "init", "-q", str(machine.source)], check=True)
    (machine.source / ".git/info/exclude").write_text("\n".join(patterns))
    listed = subprocess.run(
        ["git", "-C", str(machine.source), "ls-files", "-z", "--others", "--exclude-standard"], check=True, capture_output=True
    ).stdout
    expected = {os.fsdecode(name) for name in listed.split(b"\0") if name}
    chosen = _chosen(machine, exclude=(*patterns, ".git/"))
    assert {name for name in chosen if not (machine.source / name).is_dir()} == expected


def test_a_newline_at_the_end_does_not_hide_a_name(machine):
    _write(machine, "a.tmp", "a.tmp\n")
    assert _chosen(machine, exclude=("*.tmp",)) == {"a.tmp\n"}


def test_absolute_patterns_below_the_root(machine):
    _write(machine, "out/a", "sub/out/b")
    assert _chosen(machine, exclude=(f"{machine.source}/out/",)) == {"sub", "sub/out", "sub/out/b"}


def test_include_a_folder_means_all_below(machine):
    _write(machine, "docs/a", "docs/deep/b", "other/c")
    (machine.source / "docs/empty").mkdir()
    assert _chosen(machine, include=("/docs/",)) == {"docs", "docs/a", "docs/deep", "docs/deep/b", "docs/empty"}


def test_sizes(machine):
    _write(machine, "small", size=10)
    _write(machine, "middle", size=20)
    _write(machine, "large", size=30)
    assert _chosen(machine, larger_than_bytes=10, smaller_than_bytes=30) == {"middle"}


def test_ages(machine):
    _write(machine, "old", "young")
    os.utime(machine.source / "old", (1, 1))
    assert _chosen(machine, older_than_s=86_400) == {"old"}
    assert _chosen(machine, newer_than_s=86_400) == {"young"}


def test_types_owners_groups(machine):
    _write(machine, "a.TXT", "b.txt", "c.bin", "txt")
    assert _chosen(machine, types=("txt",)) == {"a.TXT", "b.txt"}
    os.chown(machine.source / "c.bin", 12345, 54321)
    assert _chosen(machine, owners=("12345",)) == {"c.bin"}
    assert _chosen(machine, groups=("54321",)) == {"c.bin"}
    assert "c.bin" not in _chosen(machine, owners=("root",))


def test_owners_by_the_group_they_are_in_whatever_group_their_files_have(machine, monkeypatch):
    """What "all documents of the executives" means where each user's files have a group of that user alone."""
    people = {2001: ("ann", 2001), 2002: ("bea", 2002), 2003: ("cy", 900)}
    in_groups = {"ann": [2001, 900], "bea": [2002], "cy": [900]}

    class Person:
        def __init__(self, uid):
            self.pw_uid, (self.pw_name, self.pw_gid) = uid, people[uid]

    monkeypatch.setattr(pwd, "getpwuid", Person)
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: in_groups[name])
    monkeypatch.setattr(grp, "getgrnam", lambda name: {"execs": grp.struct_group((name, "x", 900, []))}[name])
    _write(machine, "ann", "bea", "cy", "nobody")
    for name, uid in (("ann", 2001), ("bea", 2002), ("cy", 2003), ("nobody", 2004)):
        os.chown(machine.source / name, uid, 2000)
    assert _chosen(machine, owners=("@execs",)) == {"ann", "cy"}
    assert _chosen(machine, owners=("@900", "2002")) == {"ann", "bea", "cy"}
    assert _chosen(machine, owners=("2002",)) == {"bea"}
    result = machine.run(machine.dataset(owners=("@no-such-group",)))
    assert [finding.code for finding in result.findings] == ["unknown-group"]


def test_an_unknown_owner_is_said(machine):
    docs = machine.dataset(owners=("nobody-of-that-name",))
    result = machine.run(docs)
    assert [finding.code for finding in result.findings] == ["unknown-owner"]


def test_an_empty_folder_stays_without_selection(machine):
    (machine.source / "empty").mkdir()
    assert _chosen(machine) == {"empty"}
    assert _chosen(machine, types=("txt",)) == set()


@pytest.mark.parametrize(
    ("classification", "plain", "selective"),
    [
        (Classification(paths=("/a",)), True, False),
        (Classification(paths=("/a",), exclude=("x",)), False, False),
        (Classification(paths=("/a",), include=("x",)), False, True),
        (Classification(paths=("/a",), types=("x",)), False, True),
    ],
)
def test_what_a_walk_may_skip_asking(classification, plain, selective):
    classifier = Classifier(classification, 0)
    assert (classifier.plain, classifier.selective) == (plain, selective)


def test_names_that_are_not_utf8():
    matches = Classifier(Classification(paths=("/a",), exclude=("*.tmp",)), 0).below(b"/a").excluded
    assert matches is not None
    assert matches(text_of(b"\xff.tmp"))
    assert not matches(text_of(b"\xff.tmp\xff"))
