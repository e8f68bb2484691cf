"""What an examination of one machine tells: whether it can do what its rules ask, and what is in the way."""

from __future__ import annotations

import msgspec

from holdfast.model.jobs import Finding


class AskDoctor(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Examine the machine now; takes a few seconds where somebody does not answer."""


class Examined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """`findings`: one or more for each thing that was looked at; those of severity `info` say that it is all right."""

    node: str
    version: str
    findings: tuple[Finding, ...]
