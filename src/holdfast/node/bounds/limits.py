"""What the Master may ask of this machine, bounded by its root: `HOME/limits.toml`.

    read  = ["/srv", "/etc"]        # what may be captured
    write = ["/srv/mirror"]         # where mirrors and restores may write
    hooks = "/etc/holdfast/hooks"   # where hook scripts are
    spool = "4 GiB"                 # so much may wait here for receivers that are away
    recall = 2000                   # archived files that one program of a user may open in a minute
    downloads = false               # nothing is given on the port for downloads
    vault = "90d"                   # this machine dials and is not dialled, and what arrives stays at least so long

A key left out allows nothing of its kind; `spool` left out is 1 GiB, 0 is no spool; `recall` left out is no limit, `downloads` left out is
true. No file = no limits (a standing finding), no hooks. `vault` makes the machine one that only takes in: it opens no port, locks every
point that arrives for at least so long, keeps no mirror, and lets the Master have nothing there forgotten, expired, dismissed, paused,
pruned or repaired (docs/vaulting.md).
HOME (but for the exports of a Master in it) and the locations of this node's repositories are never captured, nor written by mirrors and
restores, with or without the file; nor is
the hooks directory ever written, else a restore could bring the script that a hook then runs, nor the folder of this file where HOME has a
link to it. Paths are compared after resolving symlinks;
HOME and repositories are also known by device and inode, so that a bind mount of them is no way around.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.core.errors import ErrorFacts, HoldfastError, LimitsRefused, OutsideLimits, UsageError
from holdfast.core.units import parse_duration_s, parse_size_bytes
from holdfast.model.entry import is_below
from holdfast.model.jobs import Finding, Severity
from holdfast.model.object_location import is_object_location, parse_object_location
from holdfast.model.operations import SPECS
from holdfast.model.rules import Action, DatasetRule, ForwardAction, MirrorAction, Rules, StoreAction
from holdfast.node.bounds.known_places import known_places
from holdfast.node.bounds.real_paths import Inode, inode_of, inodes_in, lineage_of, real_path

LIMITS_FILE = "limits.toml"

EXPORT_FOLDER = b"/master/export"
_KEYS = {"read", "write", "hooks", "spool", "recall", "downloads", "vault"}
_SPOOL_BYTES = 1 << 30
# A repository's name becomes a folder and a key file in HOME. The compiler knows the same rule; a Master in wrong hands need not.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`read` and `write` None = no limit. `protected` are real paths that are neither captured nor written, `guarded` the devices and
    inodes of these folders and of those in them; writers and captures of what is above skip them. `home` is one of the protected.
    `vault_s`: this machine is a vault, and what arrives there is locked for so long; None = it is none.
    """

    read: tuple[bytes, ...] | None = None
    write: tuple[bytes, ...] | None = None
    hooks: Path | None = None
    protected: tuple[bytes, ...] = ()
    guarded: frozenset[Inode] = frozenset()
    path: Path | None = None
    home: bytes = b""
    spool_bytes: int = _SPOOL_BYTES
    downloads: bool = True
    recall_files: int = 0
    vault_s: float | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        if self.path is not None:
            return ()
        return (
            Finding(
                code="no-limits",
                severity=Severity.WARNING,
                message="this machine has no limits.toml: the Master may read and write everywhere on it",
                hint=f"as root, write {LIMITS_FILE} into the node's home with the keys read, write and hooks",
            ),
        )

    def without_ours(self, rule: DatasetRule) -> DatasetRule:
        """The compiler knows the repositories in the roots, but no machine's HOME: its keys must not get into any repository."""
        exports = all(map(self._is_export, rule.classification.paths))
        ours = tuple(os.fsdecode(place) for place in self.protected if not (exports and place == self.home))
        return msgspec.structs.replace(rule, exclude_paths=(*rule.exclude_paths, *ours))

    def vaulted(self, action: StoreAction) -> StoreAction:
        """The rules' order, with the lock that this machine's root puts on everything that arrives."""
        if self.vault_s is None:
            return action
        held = [msgspec.structs.replace(op, lock_s=max(op.lock_s or 0.0, self.vault_s)) for op in action.operations]
        return msgspec.structs.replace(action, operations=tuple(held))

    def check_taking(self, action: Action) -> None:
        """Raises `OutsideLimits` for what a vault cannot promise to keep."""
        if self.vault_s is None or isinstance(action, ForwardAction):
            return
        if isinstance(action, MirrorAction):
            raise OutsideLimits(
                "this machine is a vault, and a mirror removes what its source removes", hint="draw a repository here, or another machine"
            )
        for operation in action.operations:
            if not SPECS[operation.kind].makes_points:
                raise OutsideLimits(
                    f"this machine is a vault, and `{operation.name}` makes no points that could be locked",
                    hint="let a `backup` or `live` be carried here",
                )

    def check_read(self, path: str | bytes | Path) -> None:
        """Raises `OutsideLimits` unless `path` may be captured."""
        real = real_path(path) if self._is_export(path) else self._outside_protected(path)
        if self.read is not None and not any(is_below(real, root) for root in self.read):
            raise OutsideLimits(
                f"{os.fsdecode(real)} may not be read on this machine", hint="add it to `read` in limits.toml there", path=os.fsdecode(path)
            )

    def check_write(self, path: str | bytes | Path) -> None:
        """Raises `OutsideLimits` unless a restore may write below `path`. Above a protected place is allowed: each folder is asked for."""
        real = self._outside_protected(path)
        for folder in self._of_root:
            if is_below(real, folder):
                raise OutsideLimits(
                    f"{os.fsdecode(real)} is among the hooks or limits of this machine, which only its root writes",
                    hint=f"choose a target outside {os.fsdecode(folder)}",
                    path=os.fsdecode(path),
                )
        if self.write is not None and not any(is_below(real, root) for root in self.write):
            raise OutsideLimits(
                f"{os.fsdecode(real)} may not be written on this machine",
                hint="add it to `write` in limits.toml there",
                path=os.fsdecode(path),
            )

    def is_clear(self, path: str | bytes | Path) -> bool:
        """Whether a restore may make whatever it likes below `path` where nothing is yet. What is there has to be asked for: it may be a
        protected place under another name."""
        try:
            self.check_write(path)
        except OutsideLimits:
            return False
        real = real_path(path)
        return not any(is_below(place, real) for place in (*self.protected, *self._of_root))

    def check_mirror(self, path: str | bytes | Path) -> None:
        """As `check_write`, and not above a protected place either: a mirror removes what its source does not have."""
        self.check_write(path)
        real = real_path(path)
        itself = inode_of(real)
        for place in (*self.protected, *self._of_root):
            if is_below(place, real) or (itself is not None and itself in lineage_of(place)):
                raise OutsideLimits(
                    f"a mirror in {os.fsdecode(real)} would remove {os.fsdecode(place)}, which belongs to Holdfast itself",
                    hint="choose a folder that holds nothing else",
                    path=os.fsdecode(path),
                )

    @property
    def _of_root(self) -> tuple[bytes, ...]:
        """Folders that may be captured but never written: of the hooks, and of this file where HOME has a link to it."""
        folders = (self.hooks, None if self.path is None else self.path.resolve().parent)
        return tuple(real_path(folder) for folder in folders if folder is not None and real_path(folder) != self.home)

    def check_trial(self) -> None:
        """Raises `OutsideLimits` where nothing of other machines may be restored, on trial or not."""
        if self.write is not None and not self.write:
            raise OutsideLimits(
                "nothing may be restored on this machine, so no drill of another's repository either",
                hint="name a folder in `write` in limits.toml there",
            )

    def hook(self, name: str) -> Path:
        """The script of this name. Raises `OutsideLimits` when it is not one the machine's root put there."""
        if self.hooks is None:
            raise OutsideLimits(f"hook {name!r}: this machine allows no hooks", hint="name a directory as `hooks` in limits.toml there")
        if not name or "/" in name or "\0" in name or name.startswith("."):
            raise OutsideLimits(f"{name!r} is not the name of a hook", hint="a hook is named by its file name alone")
        script = self.hooks / name
        try:
            # Whoever writes the directory can put another script in the place of the one that is looked at here.
            _check_owner(self.hooks, self.hooks.stat(), OutsideLimits)
            facts = script.lstat()
        except OSError:
            raise OutsideLimits(f"there is no hook {name!r} in {self.hooks}", hint="put the script there, executable") from None
        if not stat.S_ISREG(facts.st_mode) or not facts.st_mode & 0o111:
            raise OutsideLimits(f"hook {script} is not an executable file", hint="make it a plain file with chmod +x")
        _check_owner(script, facts, OutsideLimits)
        return script

    def _is_export(self, path: str | bytes | Path) -> bool:
        """The one place of HOME that may be captured, where a Master shares it: its exports are sealed (docs/master-backup.md)."""
        return bool(self.home) and is_below(real_path(path), self.home + EXPORT_FOLDER)

    def _outside_protected(self, path: str | bytes | Path) -> bytes:
        """The real path. Raises `OutsideLimits` when it is inside a protected place."""
        real = real_path(path)
        if any(is_below(real, place) for place in self.protected) or not self.guarded.isdisjoint(lineage_of(real)):
            raise OutsideLimits(
                f"{os.fsdecode(real)} belongs to Holdfast itself",
                hint="choose a path outside the node's home and its repositories",
                path=os.fsdecode(path),
            )
        return real


def load_limits(home: Path, repositories: Iterable[str] = ()) -> Limits:
    """The machine's limits. `repositories` are the locations that the rules name; where this node has had repositories before is protected
    as well.

    Raises `LimitsRefused` when the file could have been written by others or is not understood.
    """
    known = [place for places in known_places(home).values() for place in places]
    locations = (location for location in (*repositories, *known) if location.startswith("/"))
    protected = tuple(dict.fromkeys((real_path(home), *map(real_path, locations))))
    path = home / LIMITS_FILE
    guarded = frozenset(inode for place in protected for inode in inodes_in(place))
    try:
        with path.open(encoding="utf-8") as file:
            facts, text = os.fstat(file.fileno()), file.read()
    except FileNotFoundError:
        return Limits(protected=protected, guarded=guarded, home=protected[0])
    except (OSError, UnicodeDecodeError) as error:
        raise LimitsRefused(f"{path} cannot be read: {error}", hint="repair or remove it; until then this node does nothing new") from error
    _check_owner(path, facts, LimitsRefused)
    keys = _parse(path, text)
    return Limits(
        read=tuple(real_path(root) for root in keys.read),
        write=tuple(real_path(root) for root in keys.write),
        hooks=Path(keys.hooks) if keys.hooks else None,
        protected=protected,
        guarded=guarded,
        path=path,
        home=protected[0],
        spool_bytes=keys.spool_bytes,
        downloads=keys.downloads and keys.vault_s is None,
        recall_files=keys.recall_files,
        vault_s=keys.vault_s,
    )


def is_vault(home: Path) -> bool:
    """A vault listens nowhere; nor does who cannot read whether its root wants one."""
    try:
        return load_limits(home).vault_s is not None
    except HoldfastError:
        return True


def check_rules(rules: Rules, limits: Limits) -> tuple[ErrorFacts, ...]:
    """Everything in the rules that this machine refuses; empty = it will do all of it."""
    problems: list[ErrorFacts] = []

    def attempt(check: object, *arguments: object) -> None:
        try:
            check(*arguments)  # type: ignore[operator]
        except HoldfastError as error:
            problems.append(error.facts())

    for dataset in rules.datasets:
        for root in dataset.classification.paths:
            attempt(limits.check_read, root)
        for name in (dataset.hooks.before, dataset.hooks.after):
            if name:
                attempt(limits.hook, name)
    for trial in rules.trials:
        attempt(limits.check_trial)
        if trial.check:
            attempt(limits.hook, trial.check)
    for action in (action for receive in rules.receives for action in receive.actions):
        attempt(limits.check_taking, action)
    targets = [
        target
        for receive in rules.receives
        for action in receive.actions
        if isinstance(action, MirrorAction)
        for _, target in action.targets
    ]
    for target in targets:
        attempt(_check_absolute, target, "mirror")
        attempt(limits.check_mirror, target)
    for repository in rules.repositories:
        attempt(_check_name, repository.name)
        if is_object_location(repository.location):
            attempt(parse_object_location, repository.location)
            continue
        attempt(_check_absolute, repository.location, f"repository {repository.name}")
        attempt(_check_apart, repository.location, targets)
        attempt(_check_nothing_around, repository.location, limits)
    attempt(_check_one_each, rules)
    attempt(_check_stores_known, rules)
    return tuple(problems)


class _Keys(NamedTuple):
    """The file as it is written."""

    read: list[str]
    write: list[str]
    hooks: str
    spool_bytes: int
    recall_files: int
    downloads: bool
    vault_s: float | None


def _parse(path: Path, text: str) -> _Keys:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LimitsRefused(f"{path}: {error}", hint='write it like read = ["/srv"]') from error
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        hint = "the keys are read, write, hooks, spool, recall, downloads and vault"
        raise LimitsRefused(f"{path}: unknown key {unknown[0]!r}", hint=hint)
    read, write, hooks = table.get("read", []), table.get("write", []), table.get("hooks", "")
    for roots in (read, write):
        if not isinstance(roots, list) or not all(isinstance(root, str) and root.startswith("/") for root in roots):
            raise LimitsRefused(f"{path}: read and write are lists of absolute paths", hint='write it like read = ["/srv"]')
    if not isinstance(hooks, str) or (hooks and not hooks.startswith("/")):
        raise LimitsRefused(f"{path}: hooks is one absolute path", hint='write it like hooks = "/etc/holdfast/hooks"')
    try:
        spool_bytes = parse_size_bytes(str(table["spool"])) if "spool" in table else _SPOOL_BYTES
    except UsageError as error:
        raise LimitsRefused(f"{path}: spool: {error.message}", hint='write it like spool = "4 GiB"') from error
    recall = table.get("recall", 0)
    if not isinstance(recall, int) or isinstance(recall, bool) or recall < 0:
        raise LimitsRefused(f"{path}: recall: {recall!r} is no number of files", hint="write it like recall = 2000; 0 = no limit")
    downloads = table.get("downloads", True)
    if not isinstance(downloads, bool):
        raise LimitsRefused(f"{path}: downloads is true or false", hint="write it like downloads = false")
    try:
        vault_s = parse_duration_s(str(table["vault"])) if "vault" in table else None
    except UsageError as error:
        raise LimitsRefused(f"{path}: vault: {error.message}", hint='write it like vault = "90d"') from error
    return _Keys(read, write, hooks, spool_bytes, recall, downloads, vault_s)


def _check_owner(path: Path, facts: os.stat_result, refusal: type[OutsideLimits | LimitsRefused]) -> None:
    if facts.st_uid not in (0, os.getuid()) or facts.st_mode & 0o022:
        raise refusal(f"{path} could have been written by others", hint=f"as root: chown root {path} && chmod go-w {path}", path=str(path))


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise OutsideLimits(f"{name!r} cannot be the name of a repository", hint="letters, digits, `.`, `_` and `-`, at most 63")
    if name.endswith(".s3"):
        raise OutsideLimits(f"a repository cannot be named {name!r}", hint="HOME/keys/NAME.s3 holds the object store's keys of NAME")


def _check_absolute(path: str, what: str) -> None:
    if not path.startswith("/"):
        raise OutsideLimits(f"{what}: {path!r} is not an absolute path", hint="write it from the root, like /srv/holdfast/main")


def _check_apart(location: str, targets: list[str]) -> None:
    real = real_path(location)
    for target in targets:
        if is_below(real, real_path(target)):
            raise OutsideLimits(f"repository {location} is inside the mirror {target}", hint="move one of them")


def _check_nothing_around(location: str, limits: Limits) -> None:
    """One that is made in the folders of another, or around them, would get at its files."""
    real = real_path(location)
    for place in limits.protected:
        if (place != real or real == limits.home) and (is_below(real, place) or is_below(place, real)):
            raise OutsideLimits(
                f"repository {location} would be inside or around {os.fsdecode(place)}, which belongs to Holdfast itself",
                hint="choose a folder of its own",
                path=location,
            )


def _check_one_each(rules: Rules) -> None:
    """Two open at one place, or by one name, would not know what the other is at: a prune of one takes what is promised by the other."""
    for what in ("id", "name", "location"):
        found = [real_path(value) if value.startswith("/") else value for each in rules.repositories if (value := getattr(each, what))]
        if len(set(found)) < len(found):
            raise OutsideLimits(f"two repositories of this machine have one {what}", hint="give each a name and a place of its own")


def _check_stores_known(rules: Rules) -> None:
    known = {repository.id for repository in rules.repositories}
    for receive in rules.receives:
        for action in receive.actions:
            if isinstance(action, StoreAction) and action.repository not in known:
                raise OutsideLimits(
                    f"{receive.label} is to be stored in a repository this node does not own", hint="activate the flow again"
                )
