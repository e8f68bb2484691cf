"""limits.toml: what the Master may ask of a machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from holdfast.core.errors import LimitsRefused, OutsideLimits
from holdfast.model.document import Hooks
from holdfast.model.rules import MirrorAction, Receive, RepositoryRule, TrialDuty
from holdfast.node.bounds.limits import Limits, check_rules, load_limits
from holdfast.testing.node_rules import DOCUMENTS, FILES1, MAIN, MIRROR, source_rules, store_rules


def write(home: Path, text: str, mode: int = 0o644) -> Path:
    home.mkdir(exist_ok=True)
    path = home / "limits.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def limits_of(home: Path, text: str, *repositories: str) -> Limits:
    write(home, text)
    return load_limits(home, repositories)


def test_no_file_is_no_limit_but_a_finding_and_no_hooks(tmp_path: Path) -> None:
    limits = load_limits(tmp_path / "home")
    limits.check_read("/etc")
    limits.check_write("/srv/mirror")
    assert [finding.code for finding in limits.findings] == ["no-limits"]
    with pytest.raises(OutsideLimits, match="allows no hooks"):
        limits.hook("dump")


def test_paths_outside_are_refused_inside_and_equal_are_not(tmp_path: Path) -> None:
    limits = limits_of(tmp_path / "home", 'read = ["/srv", "/data/a"]\nwrite = ["/srv/mirror"]')
    assert limits.findings == ()
    for path in ("/srv", "/srv/x", b"/data/a/\xff", Path("/srv/./x")):
        limits.check_read(path)
    for path in ("/", "/srv2", "/data", "/data/a/../b"):
        with pytest.raises(OutsideLimits):
            limits.check_read(path)
    limits.check_write("/srv/mirror/x")
    with pytest.raises(OutsideLimits):
        limits.check_write("/srv")


def test_a_key_left_out_allows_nothing(tmp_path: Path) -> None:
    limits = limits_of(tmp_path / "home", "")
    for check in (limits.check_read, limits.check_write):
        with pytest.raises(OutsideLimits):
            check("/srv")


def test_symlinks_are_resolved(tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    allowed.mkdir()
    secret.mkdir()
    (allowed / "link").symlink_to(secret)
    limits = limits_of(tmp_path / "home", f'read = ["{allowed}"]\nwrite = ["{allowed}"]')
    for check in (limits.check_read, limits.check_write):
        with pytest.raises(OutsideLimits):
            check(allowed / "link" / "x")


@pytest.mark.parametrize("text", ["", 'write = ["/"]'])
def test_home_and_repositories_are_never_written(tmp_path: Path, text: str) -> None:
    home, store = tmp_path / "home", tmp_path / "store"
    limits = limits_of(home, text, str(store)) if text else load_limits(home, [str(store)])
    for inside in (home, home / "keys", store, store / "data"):
        with pytest.raises(OutsideLimits, match="belongs to Holdfast"):
            limits.check_write(inside)
    limits.check_write("/")
    limits.check_write(tmp_path)
    assert limits.protected == (os.fsencode(home), os.fsencode(store))
    for above in ("/", tmp_path):
        with pytest.raises(OutsideLimits, match="would remove"):
            limits.check_mirror(above)
    limits.check_mirror(tmp_path / "mirror")


def test_a_place_is_clear_where_nothing_can_come_that_is_refused(tmp_path: Path) -> None:
    hooks, store, allowed = tmp_path / "etc" / "hooks", tmp_path / "store", tmp_path / "allowed"
    limits = limits_of(tmp_path / "home", f'write = ["{allowed}", "{tmp_path}/etc"]\nhooks = "{hooks}"', str(store))
    assert limits.is_clear(allowed)
    assert limits.is_clear(allowed / "to come")
    for place in (tmp_path, tmp_path / "home", store, tmp_path / "etc", hooks, tmp_path / "elsewhere"):
        assert not limits.is_clear(place)
    assert load_limits(tmp_path / "other", [str(store)]).is_clear(allowed)
    assert not load_limits(tmp_path / "other", [str(allowed / "a" / "repository")]).is_clear(allowed)


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    write(tmp_path, 'read = ["/"]', mode)
    with pytest.raises(LimitsRefused, match="written by others"):
        load_limits(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give files away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(write(tmp_path, 'read = ["/"]'), 12345, 12345)
    with pytest.raises(LimitsRefused):
        load_limits(tmp_path)


@pytest.mark.parametrize("text", ["raed = []", "read = '/srv'", 'read = ["srv"]', "hooks = 3", "hooks = 'x'", "read = [", "read = [1]"])
def test_what_is_not_understood_is_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(LimitsRefused):
        load_limits(tmp_path)


def test_hooks_are_plain_executable_files_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "hooks"
    folder.mkdir()
    for name, mode in (("dump", 0o755), ("text", 0o644), ("loose", 0o777)):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(mode)
    (folder / "link").symlink_to("/bin/sh")
    limits = limits_of(tmp_path / "home", f'hooks = "{folder}"')
    assert limits.hook("dump") == folder / "dump"
    for name in ("", "missing", "../hooks/dump", "text", "loose", "link", ".", "a\0b"):
        with pytest.raises(OutsideLimits):
            limits.hook(name)


def test_rules_outside_the_limits_are_named_one_by_one(tmp_path: Path) -> None:
    limits = limits_of(tmp_path / "home", 'read = ["/home"]')
    rules = source_rules()
    hooked = msgspec.structs.replace(rules.datasets[0], hooks=Hooks(before="dump"))
    problems = check_rules(msgspec.structs.replace(rules, datasets=(hooked, rules.datasets[1])), limits)
    assert [problem.code for problem in problems] == ["outside-limits"] * 3
    assert "/srv/data" in problems[0].message
    assert "'dump'" in problems[1].message
    assert check_rules(rules, load_limits(tmp_path / "elsewhere")) == ()


def test_a_drill_of_anothers_repository_wants_a_place_to_restore_to_and_its_script(tmp_path: Path) -> None:
    duty = TrialDuty(dataset=DOCUMENTS, label="files1/documents", repository="main", check="books")
    rules = msgspec.structs.replace(source_rules(), datasets=(), trials=(duty,))

    def problems(text: str) -> list[str]:
        return [problem.message for problem in check_rules(rules, limits_of(tmp_path / "home", text))]

    assert len(problems("")) == 2
    (refused,) = problems('write = ["/srv"]')
    assert "'books'" in refused
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "books").touch(0o755)
    assert problems(f'write = ["/srv"]\nhooks = "{hooks}"') == []


def test_mirrors_and_repositories_keep_apart(tmp_path: Path) -> None:
    limits = load_limits(tmp_path / "home", ["/srv/holdfast/main"])

    def problems(target: str, location: str = "/srv/holdfast/main") -> list[str]:
        action = MirrorAction(id=MIRROR, targets=(("/srv/data", target),))
        receive = Receive(dataset=DOCUMENTS, label="files1/documents", sender=FILES1, actions=(action,))
        repository = RepositoryRule(id=MAIN, name="main", location=location)
        rules = msgspec.structs.replace(store_rules(), receives=(receive,), repositories=(repository,))
        return [problem.message for problem in check_rules(rules, limits)]

    assert problems("/srv/mirror") == []
    assert problems("/srv/holdfast/main/x")
    assert problems("/srv/holdfast")
    assert problems(str(tmp_path))
    assert problems("relative")
    assert problems("/srv/mirror", "s3://bucket/main?endpoint=https://s3.example.net") == []
    assert problems("/srv/mirror", "s3://bucket/../main")
    assert problems("/srv/mirror", "s3://bucket/main?secret_access_key=x")
    assert problems("/srv/mirror", "/srv/mirror/store")


def test_home_and_repositories_are_never_captured(tmp_path: Path) -> None:
    home, store = tmp_path / "home", tmp_path / "store"
    for limits in (load_limits(home, [str(store)]), limits_of(home, 'read = ["/"]', str(store))):
        for inside in (home, home / "keys", store / "data"):
            with pytest.raises(OutsideLimits, match="belongs to Holdfast"):
                limits.check_read(inside)
        limits.check_read(tmp_path)
        limits.check_read("/")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount")
def test_a_bind_mount_is_no_way_around(tmp_path: Path) -> None:
    home, store, seen = tmp_path / "home", tmp_path / "store", tmp_path / "seen"
    for folder in (home / "keys", store / "data" / "00", seen):
        folder.mkdir(parents=True)
    for inside in (home, home / "keys", store):
        if subprocess.run(["mount", "--bind", inside, seen], check=False, capture_output=True).returncode:
            pytest.skip("bind mounts are not allowed here")
        try:
            limits = limits_of(home, 'read = ["/"]\nwrite = ["/"]', str(store))
            for check in (limits.check_read, limits.check_write, limits.check_mirror):
                for path in (seen, seen / "x" / "y"):
                    with pytest.raises(OutsideLimits, match="belongs to Holdfast"):
                        check(path)
        finally:
            subprocess.run(["umount", seen], check=True)


def test_nobody_restores_a_hook(tmp_path: Path) -> None:
    folder = tmp_path / "hooks"
    folder.mkdir(mode=0o755)
    limits = limits_of(tmp_path / "home", f'write = ["{tmp_path}"]\nhooks = "{folder}"')
    (tmp_path / "way").symlink_to(folder)
    for path in (folder, folder / "dump", tmp_path / "way" / "dump"):
        with pytest.raises(OutsideLimits, match="hooks"):
            limits.check_write(path)
    with pytest.raises(OutsideLimits, match="would remove"):
        limits.check_mirror(tmp_path)
    limits.check_write(tmp_path / "elsewhere")


def test_hooks_in_a_folder_that_others_write_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "hooks"
    folder.mkdir()
    (folder / "dump").write_text("#!/bin/sh\n")
    (folder / "dump").chmod(0o755)
    folder.chmod(0o777)
    with pytest.raises(OutsideLimits, match="written by others"):
        limits_of(tmp_path / "home", f'hooks = "{folder}"').hook("dump")


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc/cron.d/x", "/etc/x", "a/b", "a\0b", "a\nb", "x" * 64])
def test_a_repository_is_not_named_out_of_home(tmp_path: Path, name: str) -> None:
    rule = RepositoryRule(id=MAIN, name=name, location=str(tmp_path / "store"))
    rules = msgspec.structs.replace(store_rules(), repositories=(rule,))
    (problem,) = check_rules(rules, load_limits(tmp_path / "home"))
    assert "cannot be the name of a repository" in problem.message


def test_limits_that_lie_elsewhere_are_written_by_nobody_else(tmp_path: Path) -> None:
    """A package makes the name in HOME a link to its configuration."""
    home, configuration = tmp_path / "home", tmp_path / "etc/holdfast"
    home.mkdir()
    configuration.mkdir(parents=True)
    (configuration / "limits.toml").write_text(f'read = ["{tmp_path}"]\nwrite = ["{tmp_path}"]\n')
    (home / "limits.toml").symlink_to(configuration / "limits.toml")
    limits = load_limits(home)
    limits.check_read(configuration)
    limits.check_write(tmp_path / "etc")
    for place in (configuration, configuration / "limits.toml"):
        with pytest.raises(OutsideLimits, match="only its root writes"):
            limits.check_write(place)
    with pytest.raises(OutsideLimits, match="would remove"):
        limits.check_mirror(tmp_path / "etc")


def test_the_exports_of_a_master_in_home_are_captured_and_never_written(tmp_path: Path) -> None:
    home = tmp_path / "home"
    exports = home / "master" / "export"
    exports.mkdir(parents=True)
    limits = load_limits(home)
    limits.check_read(exports)
    for refused in (home / "master", home / "master" / "authority", exports / ".." / "authority"):
        with pytest.raises(OutsideLimits):
            limits.check_read(refused)
    with pytest.raises(OutsideLimits):
        limits.check_write(exports)
    (exports / "keys").symlink_to(home / "keys")
    with pytest.raises(OutsideLimits):
        limits.check_read(exports / "keys")
    known = source_rules().datasets[0]
    captured = msgspec.structs.replace(known.classification, paths=(str(exports),))
    rule = msgspec.structs.replace(known, classification=captured)
    assert str(home) not in limits.without_ours(rule).exclude_paths
    both = msgspec.structs.replace(captured, paths=(str(exports), str(tmp_path)))
    assert str(home) in limits.without_ours(msgspec.structs.replace(rule, classification=both)).exclude_paths
