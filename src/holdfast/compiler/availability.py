"""What the grammar has and this version has no engine for. One table-like place: when an engine arrives, its line goes."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.compiler.codes import diagnose
from holdfast.model.diagnostics import Diagnostic, Where
from holdfast.model.document import Document, OperationUse, Policy
from holdfast.model.operations import SPECS

_CODE = "not-in-this-version"


def unavailable(document: Document) -> list[Diagnostic]:
    """An error for each thing in the document that cannot be activated with this version."""
    found: list[Diagnostic] = []
    for policy in document.policies:
        for operation in policy.operations:
            found.extend(_operation(policy, operation))
    return found


def _operation(policy: Policy, operation: OperationUse) -> Iterator[Diagnostic]:
    where = Where(path=f"policies.{policy.name}.operations.{operation.name}", kind="operation", name=f"{policy.name}/{operation.name}")
    if not SPECS[operation.kind].available:
        kinds = ", ".join(f"`{kind}`" for kind, spec in SPECS.items() if spec.available)
        yield diagnose(_CODE, where, f"`{operation.kind}` is not in this version", f"take it out for now; this version has {kinds}")
    if operation.archive_leave == "placeholder":
        where = Where(path=f"{where.path}.leave", kind="operation", name=where.name)
        hint = "take `stub`, a link whose content is recalled when it is opened (`ls -L` shows its size); or `copy` or `nothing`"
        message = "`leave: placeholder` is not in this version: while the node is down, such a file would read as zeros"
        yield diagnose(_CODE, where, message, hint)
