"""The administrator of the Master wants a locked point gone, and tries by everything that a Master can ask of the machine that has it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.cli.processes import free_ports
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import NotGranted
from holdfast.core.ids import DatasetId, NodeId
from holdfast.delivery.reading import RemoteReader
from holdfast.model.listing_questions import AskPoints, Points
from holdfast.model.orders import RestoreOrder, SignedOrder, signed_bytes_of_order
from holdfast.model.point_changes import AskChangePoints, Forget
from holdfast.model.questions import Failed
from holdfast.node.config import load_config
from holdfast.node.local.client import ask
from holdfast.testing.stock_restic import StockRestic
from holdfast.wire.authority import Authority
from holdfast.wire.data_client import dial
from holdfast.wire.data_messages import OpenRead
from holdfast.wire.identity import load_credentials
from tests.e2e.world import World, by_hand_only, eventually, restic, world_in

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not StockRestic.is_here(), reason="needs restic")]

HONEST = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
repositories: {{main: {{node: vault, location: {folder}/disk/main}}}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations: {{backup: {{{when}, keep: {{last: {last}}}, lock: 30d}}}}
flows:
  office:
    vertices: {{files: {{node: files1, policies: [documents]}}, store: {{repository: main}}}}
    movers: [{{from: files, to: store, carries: [documents/backup]}}]
"""

MIRRORED = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations: {{replicate: {{{when}, removed: follow}}}}
flows:
  office:
    vertices: {{files: {{node: files1, policies: [documents]}}, copy: {{mirror: vault, path: {target}}}}}
    movers: [{{from: files, to: copy, carries: [documents/replicate]}}]
"""


class Siege:
    """A point locked for 30 days on vault, where root lets everything below the test's folder be written; and what there is of it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder, self.place = world, folder, folder / "disk" / "main"
        world.set_limits("vault", f'write = ["{folder}"]\n')
        world.apply(self.honest(), "office")
        world.run("trigger", "office", "--wait")
        (self.point,) = world.points("main")
        assert self.point["locked_until"]
        (self.snapshot,) = (self.place / "snapshots").iterdir()
        # Not who is at work there, nor who says that he owns it.
        found = [path for path in self.place.rglob("*") if path.is_file() and path.parent.name != "locks"]
        self.files = {path: _digest(path) for path in found if path.parent != self.place or path.name == "config"}

    def honest(self, last: int = 50, location: str = "", name: str = "") -> str:
        text = HONEST.format(folder=self.folder, when=by_hand_only(), last=last)
        text = text.replace(f"{self.folder}/disk/main", location) if location else text
        return (
            text.replace("repositories: {main", f"repositories: {{{name}").replace("repository: main", f"repository: {name}")
            if name
            else text
        )

    def mirrored(self, target: str) -> str:
        return MIRRORED.format(folder=self.folder, when=by_hand_only(), target=target)

    def activate(self, text: str) -> str:
        """What comes of these rules: the words of a refusal, or nothing."""
        document = self.folder / "rogue.yaml"
        document.write_text(text)
        applied = self.world.run("apply", str(document), "--yes", expect=None)
        if applied.returncode:
            return applied.stderr
        done = self.world.run("activate", "office", expect=None)
        return done.stderr if done.returncode else ""

    def refused(self, *words: str) -> str:
        done = self.world.run(*words, expect=None)
        assert done.returncode in (1, 3, 5), f"{words} -> {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout + done.stderr

    def assert_whole(self) -> None:
        """Byte by byte, as it was when it was locked; new files may have come."""
        for path, digest in self.files.items():
            assert _digest(path) == digest, path

    def codes(self) -> list[str]:
        return [event["code"] for event in self.world.json("logs")]

    def await_word(self, code: str, words: str) -> None:
        """What was refused, and why, stands in the log of the Master."""

        def is_there() -> bool:
            return any(event["code"] == code and words in event["message"] for event in self.world.json("logs", "--limit", "1000"))

        eventually(is_there, f"{code} with {words!r} stands in the log")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def siege(tmp_path: Path) -> Iterator[Siege]:
    (tmp_path / "data").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "data" / "a").write_bytes(b"precious " * 40_000)
    with world_in(tmp_path, "files1", "vault") as world:
        made = Siege(world, tmp_path)
        yield made
        made.assert_whole()
        _stock_restic_restores(made)


def test_by_keep_rules_and_orders(siege: Siege) -> None:
    world, point = siege.world, siege.point["id"]
    assert siege.activate(siege.honest(last=1).replace(", lock: 30d", "")) == ""
    for number in range(2):
        (siege.folder / "data" / "a").write_bytes(bytes([number]) * 300_000)
        world.run("trigger", "office", "--wait")
    assert point in [found["id"] for found in world.points("main")]
    for words in (("forget", point, "--yes"), ("expire", point, "--now")):
        assert "locked until" in siege.refused("points", words[0], point, "--repository", "main", *words[2:])
    left = world.json("dataset", "forget", siege.point["dataset"], "--repository", "main", "--yes", expect=None)
    assert {change["point"]["id"]: change["outcome"] for change in left["changes"]}[point] == "stays"
    world.run("repository", "prune", "main", "--instant", "--max-unused", "0")
    world.run("repository", "repair", "main", "--forget-damaged", "--yes", expect=None)
    world.run("repository", "rebuild", "main")
    eventually(lambda: "points-refused" in siege.codes(), "what was refused stands in the log")


def test_by_restores_and_another_machine(siege: Siege) -> None:
    _by_restores(siege)
    siege.assert_whole()
    _by_another_machine(siege)


def _by_restores(siege: Siege) -> None:
    (siege.folder / "way").symlink_to(siege.place)
    point = siege.point["id"]
    for target in (siege.place, siege.place / "snapshots", siege.folder / "way", siege.world.home("vault") / "keys"):
        assert "outside-limits" in siege.refused("restore", point, "--to", str(target), "--node", "vault")
    siege.await_word("outside-limits", str(siege.place / "snapshots"))
    siege.await_word("outside-limits", str(siege.world.home("vault")))
    siege.world.run("restore", point, "--to", str(siege.folder / "back"), "--node", "vault")
    assert (siege.folder / "back" / str(siege.folder)[1:] / "data" / "a").stat().st_size == 360_000


def test_by_other_rules(siege: Siege) -> None:
    """Of the repository, of another one around it, and of none at all: then its folder belongs to nobody as far as the rules know."""
    (siege.folder / "way").symlink_to(siege.place)
    siege.activate(siege.honest(location=str(siege.folder / "disk" / "new")))
    assert not (siege.folder / "disk" / "new").exists()
    siege.activate(siege.honest(name="other"))
    siege.activate(siege.honest(name="other", location=str(siege.place / "data" / "inside")))
    assert not (siege.place / "data" / "inside").exists()
    assert siege.activate(siege.mirrored(str(siege.folder / "mirror"))) == ""
    for target in (siege.place, siege.place.parent, siege.folder / "way", siege.world.home("vault")):
        assert "outside-limits" in siege.activate(siege.mirrored(str(target))), target
    siege.world.run("trigger", "office", "--wait", expect=None)
    eventually(lambda: "rules-refused" in siege.codes(), "what was refused stands in the log")


HOOKED = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}}}
repositories: {{main: {{node: vault, location: {folder}/disk/main}}}}
policies:
  own:
    classification: {{paths: [{folder}/data]}}
    operations: {{backup: {{{when}, keep: {{last: 50}}}}}}
    hooks: {{before: {hook}}}
flows:
  office:
    vertices: {{here: {{node: vault, policies: [own]}}, store: {{repository: main}}}}
    movers: [{{from: here, to: store, carries: [own/backup]}}]
"""


def test_by_hooks(siege: Siege) -> None:
    """Scripts that delete: where there may be none, from elsewhere, and brought by restores and mirrors to where root keeps them."""
    folder, world = siege.folder, siege.world
    hooks, evil, done = folder / "hooks", folder / "data" / "evil", folder / "done"
    evil.write_text(f"#!/bin/sh\nrm -rf {siege.place}\ntouch {done}\n")
    evil.chmod(0o755)
    world.run("trigger", "office", "--wait")
    newest = world.points("main")[-1]["id"]
    hooked = HOOKED.format(folder=folder, when=by_hand_only(), hook="evil")

    world.set_limits("vault", f'read = ["{folder}/data"]\nwrite = ["{folder}"]\n')
    assert "this machine allows no hooks" in siege.activate(hooked)
    hooks.mkdir()
    world.set_limits("vault", f'read = ["{folder}/data"]\nwrite = ["{folder}"]\nhooks = "{hooks}"\n')
    for hook in (str(evil), f"../data/{evil.name}"):
        assert siege.activate(HOOKED.format(folder=folder, when=by_hand_only(), hook=hook)), hook
    assert "there is no hook 'evil'" in siege.activate(hooked)
    assert "outside-limits" in siege.refused("restore", newest, "--to", str(hooks), "--node", "vault")
    assert "outside-limits" in siege.activate(siege.mirrored(str(hooks)))
    # What the way leads to counts, not the way.
    (folder / "way").symlink_to(hooks)
    assert "outside-limits" in siege.refused("restore", newest, "--to", str(folder / "way"), "--node", "vault")
    assert list(hooks.iterdir()) == []
    world.run("trigger", "office", "--wait", expect=None)
    assert not done.exists()
    siege.await_word("rules-refused", "hook")
    siege.await_word("outside-limits", "among the hooks or limits of this machine")


def test_by_orders_and_by_revoking_the_owner(siege: Siege, tmp_path: Path) -> None:
    _by_orders(siege)
    siege.assert_whole()
    _by_revoking(siege)


def _by_orders(siege: Siege) -> None:
    """Whoever has the Master signs what he likes: an order lets one reader read, once, and nothing else."""
    world = siege.world
    master = Authority.load(world.home("master") / "master" / "authority")
    stranger = Authority.create(clock=SystemClock())
    ids = {name: NodeId(load_config(world.home(name)).node) for name in ("files1", "vault")}
    (row,) = world.client.get("/repositories")["repositories"]
    plain = RestoreOrder(
        id=siege.snapshot.name[:32],
        reader=ids["files1"],
        owner=ids["vault"],
        owner_address="",
        repository=row["id"],
        dataset=siege.point["dataset_id"],
        point=siege.point["id"],
        expires_at=now(SystemClock()) + timedelta(minutes=5),
    )

    def read(order: RestoreOrder, signer: Authority = master) -> str:
        """Why not, or nothing."""
        body = msgspec.json.encode(order)
        signed = SignedOrder(body=body, signature=signer.sign(signed_bytes_of_order(body)))
        address = next(node["address"] for node in world.client.get("/nodes")["nodes"] if node["name"] == "vault")
        channel = dial(address, load_credentials(world.home("files1") / "identity"), ids["vault"], "Read")
        opening = OpenRead(repository=order.repository, dataset=order.dataset, order=signed)
        try:
            with closing(RemoteReader(channel, opening)) as reader:
                assert len(list(reader.entries())) > 0
        except NotGranted as error:
            return error.message
        return ""

    past = now(SystemClock()) - timedelta(minutes=5)
    refused = {
        "not signed": read(plain, stranger),
        "another reader": read(msgspec.structs.replace(plain, reader=ids["vault"])),
        "another owner": read(msgspec.structs.replace(plain, owner=ids["files1"])),
        "expired": read(msgspec.structs.replace(plain, expires_at=past)),
        "another dataset": read(msgspec.structs.replace(plain, id="7" * 32, dataset=DatasetId("f" * 32))),
    }
    assert read(plain) == "", "a good one works"
    refused["used before"] = read(plain)
    for why, told in refused.items():
        assert why.replace("another dataset", "the point is of another dataset") in told, (why, told)
        siege.await_word("not-granted", told)


def _by_revoking(siege: Siege) -> None:
    """The owner is sent away: it keeps what it has, and says so to its own user; who is left cannot be told to touch it."""
    world = siege.world
    world.run("nodes", "revoke", "vault")
    for words in (
        ("points", "forget", siege.point["id"], "--repository", "main"),
        ("dataset", "forget", siege.point["dataset"], "--repository", "main"),
    ):
        away = world.run(*words, "--yes", expect=2)
        assert "no active flow uses a repository" in away.stderr
    found = ask(world.home("vault"), AskPoints(repository="main"), 30)
    assert isinstance(found, Points)
    assert siege.point["id"] in {point.id for point in found.points}
    wanted = AskChangePoints(change=Forget(newest=True), points=(siege.point["id"],), repository="main")
    here = ask(world.home("vault"), wanted, 30)
    assert isinstance(here, Failed)
    assert "locked until" in here.error.message
    siege.await_word("node-revoked", "vault")


def _by_another_machine(siege: Siege) -> None:
    """Somebody else becomes vault, and the true one is revoked."""
    world = siege.world
    before = _key_of(world, "vault")
    token = world.run("master", "token", "--name", "vault", "--replace").stdout.strip()
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    words = ("node", "join", world.client.url, "--token", token, "--name", "vault", "--replace", "vault", "--listen", listen)
    world.run(*words, home="stranger")
    siege.activate(siege.honest())
    assert _key_of(world, "vault") != before
    siege.await_word("node-replaced", "vault")


def _key_of(world: World, name: str) -> str:
    rows: list[dict[str, Any]] = json.loads(world.run("nodes", "--json", expect=None).stdout)
    return next(str(row["fingerprint"]) for row in rows if row["name"] == name)


def _stock_restic_restores(siege: Siege) -> None:
    """With the password that the true machine has kept, and everything of ours stopped."""
    for name in ("master", "files1", "vault"):
        siege.world.stop(name)
    password = (siege.world.home("vault") / "keys" / "main").read_text().strip()
    target = siege.folder / "by-restic"
    restic(str(siege.place), password, siege.folder, "restore", siege.snapshot.name, "--target", str(target))
    assert (target / str(siege.folder)[1:] / "data" / "a").read_bytes() == b"precious " * 40_000
    assert "no errors were found" in restic(str(siege.place), password, siege.folder, "check", "--read-data")
