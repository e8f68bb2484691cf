"""What a machine leaves on its disk and shows of its processes is for its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.e2e.world import ONE_TO_TWO, by_hand_only, descendants, world_in

pytestmark = pytest.mark.e2e


def test_nothing_in_home_is_readable_by_others_and_no_secret_is_anywhere_else(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("a")
    for name in ("master", "files1", "vault", "dr"):
        # As an administrator or a package may have made them before.
        (tmp_path / name).mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        with world_in(tmp_path, "files1", "vault", "dr") as world:
            world.apply(ONE_TO_TWO.format(folder=tmp_path, when=by_hand_only()), "office")
            world.run("trigger", "office", "--wait")
            homes = [world.home(name) for name in ("master", "files1", "vault", "dr")]
            assert all((home / "log").is_dir() or (home / "keys").is_dir() for home in homes)
            assert [str(path) for home in homes for path in home.rglob("*") if is_open(path)] == []
            secrets = [(world.home("vault") / "keys" / "main").read_text().strip()]
            secrets += [world.client._session.token]
            keepers = {world.home("vault") / "keys" / "main", *(home / "client.json" for home in homes)}
            for home in homes:
                for path in home.rglob("*"):
                    if path.is_file() and path not in keepers:
                        content = path.read_bytes()
                        assert not any(secret.encode() in content for secret in secrets), path
            for pid in descendants(os.getpid()):
                for source in ("cmdline", "environ"):
                    text = Path(f"/proc/{pid}/{source}").read_bytes()
                    assert not any(secret.encode() in text for secret in secrets), (pid, source)
    finally:
        os.umask(before)


def is_open(path: Path) -> bool:
    """To others; what lies in a mirror has the rights of its source."""
    if path.is_symlink() or "mirror" in path.parts:
        return False
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077) and path.is_file()
