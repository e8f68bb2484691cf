"""Somebody who rules the Master wants locked points gone: what his rules, restores and adoptions do to the folder they lie in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import Conflict, HoldfastError, LimitsRefused, OutsideLimits, UnknownName
from holdfast.core.ids import RepositoryId
from holdfast.model.adoption import AskAdopt
from holdfast.model.rules import MirrorAction, Receive, RepositoryRule, Rules
from holdfast.node.bounds.known_places import known_places
from holdfast.node.bounds.limits import check_rules, load_limits
from holdfast.node.owned.repositories import Repositories
from holdfast.node.store.adoption import adopt
from holdfast.testing.node_rules import DOCUMENTS, FILES1, MAIN, MIRROR, store_rules
from holdfast.testing.virtual_clock import VirtualClock

OTHER = RepositoryId("9" * 32)


class Vault:
    """A machine with the repository main at `place`, and limits that let everything around it be written."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.place = folder, folder / "home", folder / "disk" / "main"
        self.place.parent.mkdir()
        self.home.mkdir()
        (self.home / "limits.toml").write_text(f'write = ["{folder}"]\n')
        (self.home / "limits.toml").chmod(0o600)
        self.repositories = Repositories(self.home, clock=VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)), entropy=SystemEntropy())
        self.rule = RepositoryRule(id=MAIN, name="main", location=str(self.place))
        assert self.repositories.configure((self.rule,)) == ()

    def files(self) -> dict[str, bytes]:
        """What must not change; who is at work there may."""
        found = (path for path in self.place.rglob("*") if path.is_file() and path.parent.name != "locks")
        return {str(path.relative_to(self.place)): path.read_bytes() for path in found}

    def rules(self, *repositories: RepositoryRule, mirror: str = "") -> Rules:
        action = MirrorAction(id=MIRROR, targets=(("/srv/data", mirror),))
        receive = Receive(dataset=DOCUMENTS, label="files1/documents", sender=FILES1, actions=(action,))
        return msgspec.structs.replace(store_rules(), repositories=repositories, receives=(receive,) if mirror else (), cascades=())

    def refused(self, rules: Rules) -> list[str]:
        limits = load_limits(self.home, [repository.location for repository in rules.repositories])
        return [problem.message for problem in check_rules(rules, limits)]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault(tmp_path)
    before = made.files()
    assert "config" in before
    with closing(made.repositories):
        yield made
        assert made.files() == before


def _gone(vault: Vault) -> tuple[RepositoryRule, ...]:
    return ()


def _elsewhere(vault: Vault) -> tuple[RepositoryRule, ...]:
    return (msgspec.structs.replace(vault.rule, location=str(vault.folder / "new")),)


def _renamed(vault: Vault) -> tuple[RepositoryRule, ...]:
    return (msgspec.structs.replace(vault.rule, id=OTHER, name="other", location=str(vault.folder / "other")),)


@pytest.mark.parametrize("rules_after", [_gone, _elsewhere, _renamed])
def test_a_folder_that_the_rules_forgot_is_still_nobodys_to_write(
    vault: Vault, rules_after: Callable[[Vault], tuple[RepositoryRule, ...]]
) -> None:
    after = rules_after(vault)
    assert vault.refused(vault.rules(*after)) == []
    vault.repositories.configure(after)
    link = vault.folder / "link"
    link.symlink_to(vault.place)
    for target in (
        vault.place,
        vault.place / "data",
        link,
        link / "data",
        vault.place.parent,
        vault.folder,
        Path("/"),
        vault.home / "keys",
    ):
        assert vault.refused(vault.rules(*after, mirror=str(target))), target
    limits = load_limits(vault.home, [rule.location for rule in after])
    for target in (vault.place, vault.place / "snapshots", link, vault.home, vault.home / "keys"):
        for check in (limits.check_write, limits.check_read, limits.check_mirror):
            with pytest.raises(OutsideLimits):
                check(target)
    limits.check_write(vault.folder / "mirror")
    assert vault.refused(vault.rules(*after, mirror=str(vault.folder / "mirror"))) == []


def test_a_folder_behind_a_link_stays_known_when_the_link_is_turned(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    with closing(vault.repositories):
        real, way = tmp_path / "real", tmp_path / "way"
        vault.place.rename(real)
        way.symlink_to(real)
        vault.repositories.configure((msgspec.structs.replace(vault.rule, location=str(way)),))
        assert vault.repositories.problems == ()
    way.unlink()
    way.mkdir()
    limits = load_limits(vault.home)
    for target in (real, real / "data", way):
        with pytest.raises(OutsideLimits):
            limits.check_write(target)


def test_it_comes_back_whole_when_the_rules_do(vault: Vault) -> None:
    for rules in (_gone(vault), _elsewhere(vault), _renamed(vault), (vault.rule,)):
        vault.repositories.configure(rules)
    assert vault.repositories.get(MAIN).points() == ()
    assert known_places(vault.home)["main"] == (str(vault.place),)


def test_a_repository_that_moved_in_the_rules_is_not_made_anew(vault: Vault) -> None:
    (problem,) = vault.repositories.configure(_elsewhere(vault))
    assert problem.code == "repository-missing"
    assert not (vault.folder / "new").exists()


def test_the_place_is_not_opened_by_another_name(vault: Vault) -> None:
    other = msgspec.structs.replace(vault.rule, id=OTHER, name="other")
    (problem,) = vault.repositories.configure((other,))
    assert problem.code == Conflict.code
    assert not (vault.home / "keys" / "other").exists()
    for ask in (
        AskAdopt(repository="other", location=str(vault.place), password="a guess of twelve"),
        AskAdopt(repository="other", location=""),
        AskAdopt(repository="third", location=str(vault.place), password=""),
    ):
        with pytest.raises(HoldfastError):
            adopt(ask, vault.repositories, None)
    assert sorted(path.name for path in (vault.home / "keys").iterdir()) == ["main"]
    with pytest.raises(UnknownName):
        vault.repositories.get(MAIN)


@pytest.mark.parametrize(
    "where", ["disk/main", "disk/main/data", "disk", "", "home", "home/keys", "home/repositories/main", "link", "link/x"]
)
def test_no_second_repository_is_made_there_inside_or_around(vault: Vault, where: str) -> None:
    (vault.folder / "link").symlink_to(vault.place)
    other = RepositoryRule(id=OTHER, name="other", location=str(vault.folder / where))
    assert vault.refused(vault.rules(vault.rule, other))
    if where not in ("disk/main", "link"):
        # Alone at the very place it fails for want of a key, so that who has one there can rename his repository.
        assert vault.refused(vault.rules(other))


@pytest.mark.parametrize("changes", [{"id": MAIN, "name": "b"}, {"name": "main"}, {"name": "b", "location": ""}])
def test_one_repository_is_not_opened_twice(vault: Vault, changes: dict[str, str]) -> None:
    spare = RepositoryRule(id=OTHER, name="spare", location=str(vault.folder / "spare"))
    assert vault.refused(vault.rules(vault.rule, spare)) == []
    twin = msgspec.structs.replace(spare, **{**changes, **({"location": os.path.join(vault.place, ".")} if "location" in changes else {})})
    assert any("two repositories" in message for message in vault.refused(vault.rules(vault.rule, twin)))


def test_places_that_cannot_be_read_stop_everything(vault: Vault) -> None:
    (vault.home / "repositories" / "main" / "places.json").write_text("[3")
    with pytest.raises(LimitsRefused, match=r"places\.json"):
        load_limits(vault.home)
