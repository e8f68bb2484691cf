"""The package contains what Holdfast asks for."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deb.lock import LOCK, lock_text, wanted

PINS = {canonicalize_name(name): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", LOCK.read_text(), re.M)}


@pytest.mark.parametrize("wish", wanted())
def test_every_dependency_is_pinned_as_asked_for(wish: str) -> None:
    requirement = Requirement(wish)
    pinned = PINS.get(canonicalize_name(requirement.name))
    assert pinned is not None, f"{requirement.name} is not locked: run `make lock`"
    assert requirement.specifier.contains(pinned, prereleases=True), f"{requirement} is locked at {pinned}: run `make lock`"


def test_each_pin_has_hashes_and_no_address() -> None:
    blocks = re.split(r"\n(?=\S)", LOCK.read_text().split("\n", 1)[1])
    assert all(re.fullmatch(r"\S+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+\n?", block) for block in blocks)


def test_the_lock_is_in_one_order() -> None:
    assert lock_text({"b==1": {"02", "01"}, "a==2": {"03"}}).split("\n")[1:] == [
        "a==2 \\",
        "    --hash=sha256:03",
        "b==1 \\",
        "    --hash=sha256:01 \\",
        "    --hash=sha256:02",
        "",
    ]
