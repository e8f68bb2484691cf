"""What a look at a machine's files is asked, and tells: a sample of what a classification chooses, and the folders in a folder."""

from __future__ import annotations

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.model.document import Classification
from holdfast.model.jobs import Finding


class SampleRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One path. `kind` is file, folder, symlink, device, fifo or socket; `path` is for display.

    Of one that is left out, `rule` is the key of the classification that does it, and `detail` its value: `exclude`, `*.tmp`. A folder
    that is left out stands for all that is in it.
    """

    path: str
    kind: str
    size_bytes: int = 0
    rule: str = ""
    detail: str = ""


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Rows in walk order, from many folders rather than all of one. Totals count what was looked at.

    `complete` = that is everything; else the look ended at its limit of time or entries.
    """

    chosen: tuple[SampleRow, ...] = ()
    left_out: tuple[SampleRow, ...] = ()
    chosen_total: int = 0
    chosen_bytes: int = 0
    left_out_total: int = 0
    complete: bool = True
    findings: tuple[Finding, ...] = ()


class Folder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`path_raw` (base64 in JSON) is set when `path` does not spell it: a name that is not UTF-8, or holds control
    characters. `mode` are the permission bits, null where nobody looked."""

    name: str
    path: str
    path_raw: bytes = b""
    mode: int | None = None


class Folders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """By name. `more`: there are others that are not listed. `error`: the folder cannot be looked at."""

    path: str
    path_raw: bytes = b""
    folders: tuple[Folder, ...] = ()
    more: bool = False
    error: ErrorFacts | None = None


class AskSample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """What this classification would choose on this machine now, and what it would leave out and why: at most `limit` paths of each."""

    classification: Classification
    limit: int = 50


class AskFolders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """The direct sub-folders of a folder of this machine, within its limits. `path` empty or `/` = where to begin."""

    path: bytes = b""
