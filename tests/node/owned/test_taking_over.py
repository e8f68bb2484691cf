"""A repository in a folder that another node takes over by a password: the one before refuses to write, and takes it back likewise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import Conflict, HoldfastError, RepositoryMoved, WrongPassword
from holdfast.core.ids import NodeId, RepositoryId
from holdfast.model.keys import AskKeyRestore, KeyDone
from holdfast.model.rules import RepositoryRule
from holdfast.node.config import NodeConfig, save_config
from holdfast.node.owned.repositories import Repositories
from holdfast.repository.pruning.prune import PruneOrder
from holdfast.repository.repository import Repository
from holdfast.testing.node_rules import ENVIRONMENT
from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.virtual_clock import VirtualClock

MAIN = RepositoryId("c" * 32)
VAULT, DR = NodeId("1" * 32), NodeId("2" * 32)


class Owner:
    """A node's home with its repositories."""

    def __init__(self, folder: Path, node: NodeId, name: str) -> None:
        self.home = folder / name
        config = NodeConfig(
            environment=ENVIRONMENT, environment_name="test", node=node, name=name, master_url="", master_name="", hub_address=""
        )
        save_config(self.home, config)
        self.repositories = Repositories(self.home, clock=VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)), entropy=SystemEntropy())

    def password(self) -> str:
        return self.repositories.environment("main").password

    def restore_key(self, password: str) -> KeyDone:
        answer = self.repositories.answer_about_keys(AskKeyRestore(repository="main", password=password))
        assert isinstance(answer, KeyDone)
        return answer


@pytest.fixture
def rule(tmp_path: Path) -> RepositoryRule:
    return RepositoryRule(id=MAIN, name="main", location=str(tmp_path / "store"))


@pytest.fixture
def vault(tmp_path: Path, rule: RepositoryRule) -> Iterator[Owner]:
    owner = Owner(tmp_path, VAULT, "vault")
    with closing(owner.repositories):
        assert owner.repositories.configure((rule,)) == ()
        yield owner


@pytest.fixture
def dr(tmp_path: Path) -> Iterator[Owner]:
    owner = Owner(tmp_path, DR, "dr")
    with closing(owner.repositories):
        yield owner


def writes(repository: Repository) -> list[type[HoldfastError] | None]:
    """What comes of everything that would write, or hold the session lock for it."""
    outcomes: list[type[HoldfastError] | None] = []
    for work in (
        lambda: repository.prune(PruneOrder(grace_s=0)),
        lambda: repository.check(read_data=False),
        lambda: repository.care.repair(),
        lambda: repository.assert_free(),
    ):
        try:
            work()
            outcomes.append(None)
        except HoldfastError as error:
            outcomes.append(type(error))
    return outcomes


def test_an_owner_that_is_gone_is_followed_by_who_has_a_password(vault: Owner, dr: Owner, rule: RepositoryRule, tmp_path: Path) -> None:
    before = vault.repositories.get(MAIN)
    assert writes(before) == [None] * 4
    password = vault.password()
    (problem,) = dr.repositories.configure((rule,))
    assert problem.code == "conflict"
    with pytest.raises(WrongPassword):
        dr.restore_key("not the password")
    assert writes(before) == [None] * 4
    done = dr.restore_key(password)
    assert done.also[0].startswith(f"taken over from node {VAULT}")
    after = dr.repositories.get(MAIN)
    assert writes(after) == [None] * 4
    # The one before has it open still, and writes nothing: not in what it has open, and not after a restart.
    assert writes(before) == [RepositoryMoved] * 4
    status = vault.repositories.statuses()[0]
    assert status.error is not None
    assert status.error.code == "repository-moved"
    vault.repositories.close()
    again = Owner(tmp_path, VAULT, "vault")
    with closing(again.repositories):
        (refused,) = again.repositories.configure((rule,))
        assert (refused.code, refused.context["repository"]) == ("repository-moved", "main")
        with pytest.raises(RepositoryMoved, match=f"node {DR}"):
            again.repositories.get(MAIN)
        StockRestic(str(tmp_path / "store"), password).check()
        # Its key is still there; the password is asked for all the same, since that is what decides.
        with pytest.raises(WrongPassword):
            again.restore_key("not the password")
        assert again.restore_key(password).also[0].startswith(f"taken over from node {DR}")
        assert writes(again.repositories.get(MAIN)) == [None] * 4
        assert writes(after) == [RepositoryMoved] * 4
        with pytest.raises(Conflict, match="is there, and opens it"):
            again.restore_key(password)


def test_an_owner_that_is_told_to_let_go_leaves_nothing_in_the_way(vault: Owner, dr: Owner, rule: RepositoryRule) -> None:
    password = vault.password()
    vault.repositories.configure(())
    dr.repositories.configure((rule,))
    done = dr.restore_key(password)
    assert not [line for line in done.also if line.startswith("taken over")]
    assert writes(dr.repositories.get(MAIN)) == [None] * 4
    # A rule that names it again, by mistake or late, finds it taken.
    (problem,) = vault.repositories.configure((rule,))
    assert problem.code == "repository-moved"
    # Given up there, it is back here without a word: this machine's key opens it still.
    dr.repositories.configure(())
    assert writes(vault.repositories.get(MAIN)) == [None] * 4


def test_the_end_of_a_process_is_no_letting_go(vault: Owner, dr: Owner, rule: RepositoryRule, tmp_path: Path) -> None:
    password = vault.password()
    vault.repositories.close()
    dr.repositories.configure((rule,))
    with pytest.raises(RepositoryMoved):
        dr.repositories.make_key(rule, password)
    again = Owner(tmp_path, VAULT, "vault")
    with closing(again.repositories):
        assert again.repositories.configure((rule,)) == ()


def test_a_node_that_is_no_more_the_owner_takes_no_commit(vault: Owner, dr: Owner, rule: RepositoryRule) -> None:
    """It has a session open when the other one comes."""
    before = vault.repositories.get(MAIN)
    with before._interior.lock.session():
        dr.repositories.configure((rule,))
        dr.restore_key(vault.password())
        with pytest.raises(RepositoryMoved):
            before.prune(PruneOrder(grace_s=0))
    # Its own lock file goes all the same.
    assert list(Path(rule.location, "locks").iterdir()) == []
