"""Parses policies: classification, hooks and operations."""

from __future__ import annotations

import re

from pathspec import GitIgnoreSpec

from holdfast.compiler.fields import Fields
from holdfast.compiler.notes import At, Notes
from holdfast.compiler.parse_operations import parse_operation
from holdfast.compiler.parse_places import Problem, clean_path, path_problem
from holdfast.compiler.yaml_tree import Scalar, Tree
from holdfast.core.errors import UsageError
from holdfast.model.anomalies import AnomalyPlan
from holdfast.model.document import Classification, DrillPlan, Hooks, Policy
from holdfast.model.drills import parse_sample

_CLASSIFICATION = (
    "paths", "include", "exclude", "exclude_caches", "one_file_system", "larger_than", "smaller_than", "older_than", "newer_than",
    "owners", "groups", "types", "granularity", "application", "consistent", "max_removed",
)  # fmt: skip
_RATIO = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)(%?)")
_SCRIPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def parse_policies(root: Fields) -> tuple[Policy, ...]:
    return tuple(_policy(root.notes, name, at, tree) for name, at, tree in root.named("policies", "policy"))


def _policy(notes: Notes, name: str, at: At, tree: Tree) -> Policy:
    fields = Fields(notes, at, tree, ("classification", "operations", "hooks", "drill", "anomaly", "tags", "was"))
    fields.require("classification", "operations")
    operations = [parse_operation(notes, operation, place, value) for operation, place, value in fields.named("operations", "operation")]
    return Policy(
        name=name,
        classification=_classification(fields.child("classification", _CLASSIFICATION)),
        operations=tuple(operation for operation in operations if operation is not None),
        hooks=_hooks(fields.child("hooks", ("before", "after", "timeout"))),
        drill=_drill(fields),
        anomaly=_anomaly(fields),
        was=fields.name("was"),
        tags=fields.names("tags"),
    )


def _classification(fields: Fields) -> Classification:
    paths = tuple(dict.fromkeys(clean_path(path) for path in fields.texts("paths", path_problem)))
    if "paths" not in fields or fields.is_empty_list("paths"):
        fields.bad("missing-key", "paths", "`paths` says which folders; here it says none", "add one, like `paths: [/srv/documents]`")
    return Classification(
        paths=paths,
        include=fields.texts("include", _pattern_problem),
        exclude=fields.texts("exclude", _pattern_problem),
        exclude_caches=fields.is_on("exclude_caches"),
        one_file_system=fields.is_on("one_file_system"),
        larger_than_bytes=fields.size_bytes("larger_than"),
        smaller_than_bytes=fields.size_bytes("smaller_than"),
        older_than_s=fields.duration_s("older_than"),
        newer_than_s=fields.duration_s("newer_than"),
        owners=fields.texts("owners"),
        groups=fields.texts("groups"),
        types=tuple(kind.removeprefix(".") for kind in fields.texts("types", _type_problem)),
        granularity=fields.choice("granularity", ("auto", "coarse", "fine"), "auto"),
        application=fields.choice("application", ("", "sqlite"), ""),
        consistent=fields.choice("consistent", ("none", "snapshot"), "none"),
        max_removed_ratio=_ratio(fields),
    )


def _pattern_problem(pattern: str) -> Problem | None:
    hint = "write it as in .gitignore, like '*.tmp' or 'cache/'"
    try:
        specs = GitIgnoreSpec.from_lines([pattern]).patterns
    except (ValueError, re.error) as error:
        return "bad-pattern", f"{pattern[:80]!r} is not a pattern: {str(error)[:200]}", hint
    if "\n" in pattern or not specs or all(spec.include is None for spec in specs):
        return "bad-pattern", f"{pattern[:80]!r} matches nothing", hint
    return None


def _type_problem(kind: str) -> Problem | None:
    if "/" in kind or not kind.removeprefix("."):
        return "bad-value", f"{kind[:80]!r} is not a file name ending", "write it like pdf or tar.gz"
    return None


def _ratio(fields: Fields) -> float:
    text = fields.text("max_removed", "50%")
    match = _RATIO.fullmatch(text)
    value = float(match.group(1)) / (100 if match.group(2) else 1) if match else -1.0
    if 0 <= value <= 1:
        return value
    fields.bad("bad-value", "max_removed", f"{text[:40]!r} is not a share", "write it like 50% or 0.5; 100% turns the guard off")
    return 0.5


def _hooks(fields: Fields) -> Hooks:
    timeout_s = fields.duration_s("timeout")
    return Hooks(before=_script(fields, "before"), after=_script(fields, "after"), timeout_s=300.0 if timeout_s is None else timeout_s)


def _is_off(fields: Fields, key: str) -> bool:
    """YAML 1.1 takes a plain `off` for a boolean, people do not."""
    tree = fields.get(key)
    return isinstance(tree, Scalar) and tree.text in ("off", "false")


def _anomaly(fields: Fields) -> AnomalyPlan | None:
    """`off`, or `{hold: DURATION or off}`."""
    if _is_off(fields, "anomaly"):
        return None
    plan = fields.child("anomaly", ("hold",))
    if _is_off(plan, "hold"):
        return AnomalyPlan(hold_s=0.0)
    return AnomalyPlan(hold_s=plan.duration_s("hold") or AnomalyPlan().hold_s)


def _drill(fields: Fields) -> DrillPlan | None:
    """`off`, or `{every, sample, check, timeout, on}`."""
    if "drill" not in fields or _is_off(fields, "drill"):
        return None
    drill, usual = fields.child("drill", ("every", "sample", "check", "timeout", "on")), DrillPlan()
    sample = drill.text("sample", usual.sample)
    try:
        parse_sample(sample)
    except UsageError as error:
        drill.bad("bad-value", "sample", error.message, error.hint)
        sample = usual.sample
    return DrillPlan(
        every_s=drill.duration_s("every") or usual.every_s,
        sample=sample,
        check=_script(drill, "check"),
        timeout_s=drill.duration_s("timeout") or usual.timeout_s,
        on=drill.name("on"),
    )


def _script(fields: Fields, key: str) -> str:
    script = fields.text(key)
    if script and not _SCRIPT.fullmatch(script):
        hint = "name a script of the machine's own hooks directory, without a path or arguments"
        fields.bad("bad-value", key, f"{script[:80]!r} is not the name of a script", hint)
        return ""
    return script
