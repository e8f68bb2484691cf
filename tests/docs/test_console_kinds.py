"""The console offers the kinds of operation that this version has an engine for, and no others: no button leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.model.operations import SPECS

POLICY = Path(__file__).resolve().parent.parent.parent / "console/src/screens/policies/policy.ts"


def test_the_policy_editor_offers_the_kinds_that_can_be_activated() -> None:
    offered = re.findall(r'\{ kind: "(\w+)", .*makesPoints: (true|false) \}', POLICY.read_text())
    assert offered == [(kind, str(spec.makes_points).lower()) for kind, spec in SPECS.items() if spec.available]
