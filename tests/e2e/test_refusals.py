"""What is refused, with which words: tokens, authorities, grants, limits, and documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.world import ONE_TO_TWO, by_hand_only, world_in

pytestmark = pytest.mark.e2e


def test_tokens_and_authorities(tmp_path: Path) -> None:
    with world_in(tmp_path) as world:
        token = world.run("master", "token", "--name", "one").stdout.strip()
        world.join("one", token)
        used = world.try_join("two-of-one", token)
        assert used.returncode == 5
        assert "used" in used.stderr
        other = world.run("master", "token", "--name", "expected").stdout.strip()
        misnamed = world.try_join("somebody", other)
        assert misnamed.returncode == 5
        wrong_authority = other.rsplit(".", 1)[0] + "." + "0" * 64
        refused = world.try_join("expected", wrong_authority)
        assert refused.returncode == 5
        assert "its CA is another" in refused.stderr
        made_up = world.try_join("expected", "hf1.AAAAAAAA." + other.rsplit(".", 1)[1])
        assert made_up.returncode == 5
        assert "join-refused" in made_up.stderr


def test_limits_of_the_machine_win_over_the_master(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    with world_in(tmp_path, "files1", "vault", "dr") as world:
        world.set_limits("files1", f'read = ["{tmp_path}/elsewhere"]\n')
        document = tmp_path / "environment.yaml"
        document.write_text(ONE_TO_TWO.format(folder=tmp_path, when=by_hand_only()))
        world.run("apply", str(document))
        refused = world.run("activate", "office", expect=5)
        assert "outside-limits" in refused.stderr
        assert "rolled back" in refused.stderr
        assert all(n["generation"] != 1 or n["name"] != "files1" for n in world.json("nodes"))
        world.set_limits("files1", f'read = ["{tmp_path}/data"]\nwrite = ["{tmp_path}/back"]\n')
        world.run("activate", "office")
        (tmp_path / "data" / "a").write_text("a")
        world.run("trigger", "office", "--wait")
        point = world.points("main")[0]["id"]
        outside = world.run("restore", point, "--to", str(tmp_path / "elsewhere"), expect=5)
        assert "outside-limits" in outside.stderr
        world.run("restore", point, "--to", str(tmp_path / "back"))
        home = world.run("restore", point, "--to", str(world.home("vault")), "--node", "vault", expect=5)
        assert "outside-limits" in home.stderr


def test_a_wrong_document_names_place_and_remedy(tmp_path: Path) -> None:
    with world_in(tmp_path) as world:
        document = tmp_path / "wrong.yaml"
        document.write_text("environment: test\npolicies:\n  documents:\n    classification: {paths: [/srv], exlude: ['*.tmp']}\n")
        result = world.run("plan", str(document), expect=2)
        assert "exclude" in result.stderr
        assert "line 4" in result.stderr
        assert world.run("apply", str(document), expect=2)


def test_nobody_asks_the_api_without_a_token(tmp_path: Path) -> None:
    with world_in(tmp_path) as world:
        session = world.home("master") / "client.json"
        session.write_text(session.read_text().replace('"token":"', '"token":"x'))
        refused = world.run("status", expect=5)
        assert "not-authenticated" in refused.stderr
