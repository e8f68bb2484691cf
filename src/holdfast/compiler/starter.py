"""The text a fresh environment begins with."""

from __future__ import annotations

import json
import re

_TEXT = """\
# The environment: which machines there are, which data they protect, and along which ways it goes.
# `holdfast plan FILE` shows what a change would do, `holdfast apply FILE` takes it, `holdfast activate FLOW` puts it into force.
environment: {environment}

nodes:
  {node}: {{}}

repositories: {{}}

policies: {{}}

flows: {{}}
"""


def starter_document(environment: str, node: str) -> str:
    """`environment` may be any text on one line; `node` must be a name."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", environment)
    return _TEXT.format(environment=environment if plain else json.dumps(environment, ensure_ascii=False), node=node)
