"""What request bodies may hold. A key that is not here is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Body(BaseModel):
    """Strict: `0.0` or `"no"` for `dry_run` is a mistake of the caller's, not a word that we read a yes or no into."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @field_validator("*", mode="after")
    @classmethod
    def _is_text(cls, value: object) -> object:
        """JSON can spell half a character (a lone surrogate), which no database, file or signature takes."""
        for text in value if isinstance(value, list | tuple) else (value,):
            if isinstance(text, str) and not text.isascii():
                try:
                    text.encode()
                except UnicodeEncodeError:
                    raise ValueError("not Unicode text") from None
        return value


MAX_TTL_S = 100 * 365 * 86_400.0


class Login(Body):
    """`directory`: the LDAP directory that knows the user; empty = a local account."""

    user: str = Field(max_length=256)
    password: str = Field(max_length=1024)
    directory: str = Field(default="", max_length=63)


class SessionWanted(Body):
    """User and password, and for a user of an LDAP directory its name; or the `code` of a link of `POST /session/links` alone."""

    user: str = Field(default="", max_length=256)
    password: str = Field(default="", max_length=1024)
    code: str = Field(default="", max_length=256)
    directory: str = Field(default="", max_length=63)


class TokenWanted(Body):
    """`ttl_s` null = until it is deleted. `activities` (empty = all) and `group` narrow what its user may."""

    name: str = Field(min_length=1, max_length=100)
    activities: list[str] = Field(default=[], max_length=100)
    group: str = Field(default="everything", min_length=1, max_length=63)
    ttl_s: float | None = Field(default=None, gt=0, le=MAX_TTL_S)


class MasterBackupWanted(Body):
    """`node`: the one on the Master's machine, empty = the only one that dials from there. `repository`: by name, empty = the first on
    another machine. `every`: how often a point is due."""

    node: str = Field(default="", max_length=64)
    repository: str = Field(default="", max_length=64)
    every: str = Field(default="15m", max_length=32)


class PlanDocument(Body):
    text: str


class SimulateDocument(Body):
    """`text` null = the newest document. `since`: ISO 8601."""

    text: str | None = None
    days: int = Field(default=30, ge=1, le=400)
    since: str = Field(default="now", max_length=100)


class PaintSchedule(Body):
    """`schedule` as it stands in the document. `since`: ISO 8601."""

    schedule: dict[str, Any] = {}
    since: str = Field(default="now", max_length=100)
    days: int = Field(default=35, ge=1, le=400)


class ApplyDocument(Body):
    """`base_revision`: the revision that was edited; null = whatever is newest now."""

    text: str
    base_revision: int | None = None
    accept_removals: bool = False
    comment: str = ""


class EditOperation(Body):
    """`path`: keys, and places in lists from 0 (the length of a list = behind its end). `set` writes `value` there and makes what is
    missing on the way; `remove` takes it out; `rename` gives the key the name in `value`, in its place."""

    op: Literal["set", "remove", "rename"]
    path: list[str | int] = Field(min_length=1, max_length=20)
    value: Any = None


class EditDocument(Body):
    """`base_revision`: the revision that was edited. Operations are done in turn, all or none. `dry_run`: show the text, store nothing.
    `text`, with `dry_run` only: a working copy; the operations are done on it in place of the revision's text, none = only read it."""

    base_revision: int = Field(ge=1, le=(1 << 63) - 1)
    operations: list[EditOperation] = Field(max_length=500)
    comment: str = Field(default="", max_length=1_000)
    dry_run: bool = False
    text: str | None = None


class MergeDocument(Body):
    """`text` was made from `base_revision`. `prefer`: whose values the merged text has where both changed one."""

    base_revision: int = Field(ge=1, le=(1 << 63) - 1)
    text: str
    prefer: Literal["mine", "theirs"] = "mine"


class ClassificationSample(Body):
    """`classification` as it stands in the document. At most `limit` paths that it chooses, and as many that it leaves out."""

    classification: dict[str, Any]
    limit: int = Field(default=50, ge=1, le=200)


class CompileFlow(Body):
    """`text`: compile the flow of this text in place of the stored document."""

    text: str | None = None


class KeepWanted(Body):
    """`keep` as it stands in the document ({} = keep everything); `every` (`1h`), `at` (`02:30`, in `zone`), or both say when points are
    taken. `span_days`: how far back."""

    keep: dict[str, Any] = {}
    every: str | None = None
    at: list[str] = Field(default=[], max_length=100)
    zone: str = "UTC"
    span_days: int = Field(default=400, ge=1, le=3660)


class FolderWanted(Body):
    """`path` is percent-encoded bytes (`%25` for a percent sign): a name need not be UTF-8. Empty or `/` = where to begin."""

    path: str = Field(default="", max_length=16_384)


class TriggerFlow(Body):
    """Empty = all of the flow. `accept` lets a source that lost much or was replaced run once; `adopt` lets its mirrors take over folders
    that are not empty. `first`: for what was just activated; the run it has begun with by itself just now serves as well."""

    policy: str = ""
    operation: str = ""
    accept: bool = False
    adopt: bool = False
    first: bool = False


class Protect(Body):
    """`node` empty = the only node there is. `every`: how often a point is due, empty = as it is where the path is protected there already,
    else every hour. `cdp`: for how long every moment can be restored, empty = not at all. What is protected there already and promises
    something else is in conflict."""

    path: str
    location: str
    every: str = ""
    cdp: str = ""
    node: str = ""


class JoinTokenWanted(Body):
    """`hold`: the machine that joins with it waits until it is authorised."""

    name: str = ""
    ttl_s: float = 3600
    replace: bool = False
    hold: bool = False


class NodeRename(Body):
    """`accept_new_copies`: mirrors whose path has the node's name in it may begin anew in another place."""

    name: str = Field(min_length=1, max_length=63)
    accept_new_copies: bool = False
    dry_run: bool = False


class NodeMoveWanted(Body):
    """`dry_run`: only say what is to be carried."""

    ttl_s: float = 86_400
    dry_run: bool = False


class Join(Body):
    token: str
    name: str
    csr_pem: str
    replace: bool = False


class Renew(Body):
    """`signature` is base64 of ECDSA-SHA256 over the bytes of `csr_pem`, by the key of `certificate_pem`."""

    certificate_pem: str
    csr_pem: str
    signature: str


class Restore(Body):
    """A `point` (id or unique prefix), or a `dataset` and `at` (ISO 8601, `2h ago`, or `last-clean`; empty = newest).

    `paths` are percent-encoded bytes, for names that are not UTF-8; none = everything. `node` empty = where the data came from.
    `before_deletion`, in place of `at`: a path, encoded so, as it was before it was deleted. `repository`: only from this copy. `undo_for`:
    how long what is replaced is kept (`7d`; `0s` = not at all). `owner`: numeric, name or none; `map_owners` and `map_groups`: `FROM:TO`.
    `exact`: what the dataset has there and the point has not goes, too; in place (`to` is `/`), where the dataset is captured.
    """

    point: str = ""
    dataset: str = ""
    at: str = ""
    paths: list[str] = []
    to: str
    node: str = ""
    repository: str = ""
    dry_run: bool = False
    conflict: Literal["skip", "overwrite", "rename"] = "overwrite"
    limit_bytes_s: int | None = Field(default=None, ge=1)
    before_deletion: str = ""
    undo_for: str = Field(default="7d", max_length=100)
    owner: Literal["numeric", "name", "none"] = "numeric"
    map_owners: list[str] = Field(default=[], max_length=1_000)
    map_groups: list[str] = Field(default=[], max_length=1_000)
    exact: bool = False


class Mount(Body):
    """A `point` (id or unique prefix), or a `dataset` and `at` (ISO 8601 or `2h ago`; empty = newest). `node`: where it is mounted."""

    point: str = ""
    dataset: str = ""
    at: str = ""
    node: str
    repository: str = ""


class DownloadWanted(Body):
    """A `point` (id or unique prefix), or a `dataset` and `at` (empty = newest). `path`: percent-encoded bytes, `/` = everything.
    `format`: auto = a file as it is, a folder as zip. `repository`: only from this copy."""

    point: str = ""
    dataset: str = ""
    at: str = ""
    path: str = Field(min_length=1, max_length=20_000)
    repository: str = ""
    format: Literal["auto", "file", "zip", "tar", "tar.zst"] = "auto"


class HoldArchive(Body):
    """`dataset` by label or id; `path` is percent-encoded bytes, `/` = all of it. `repository` empty = in each that has archived files
    of it."""

    dataset: str
    name: str = Field(min_length=1, max_length=200)
    path: str = "/"
    repository: str = ""


class ReleaseArchive(Body):
    dataset: str
    name: str = Field(min_length=1, max_length=200)
    repository: str = ""


class Recall(Body):
    """`paths` are percent-encoded bytes, of stubs as they stand on the node, or with `recursive` of folders with stubs below them."""

    paths: list[str] = Field(min_length=1, max_length=10_000)
    recursive: bool = False
    dry_run: bool = False


class Undo(Body):
    dry_run: bool = False


class ApprovalRulesWanted(Body):
    """`acts`: those that need a second person, all of them; empty = none does."""

    acts: list[str] = Field(max_length=50)


class RefuseApproval(Body):
    comment: str = Field(default="", max_length=1_000)


class AcknowledgeLines(Body):
    """`numbers` of lines of the log."""

    numbers: list[Annotated[int, Field(ge=1, le=1 << 53)]] = Field(min_length=1, max_length=10_000)
    comment: str = Field(default="", max_length=2_000)


class LogQuery(BaseModel):
    """Which lines; empty = whichever. `severity`: that one or worse. `session`: of one life of an agent or the Master, by its id or the
    beginning of it; its first line has the code `session-began`. `tag`: of nodes, and about datasets, that bear it in the rules in force.
    `before`: the `next` of the page before."""

    node: str = Field(default="", max_length=256)
    severity: Literal["", "info", "warning", "error"] = ""
    code: str = Field(default="", max_length=100)
    flow: str = Field(default="", max_length=256)
    dataset: str = Field(default="", max_length=1_000)
    job: str = Field(default="", max_length=64)
    tag: str = Field(default="", max_length=64)
    text: str = Field(default="", max_length=1_000)
    session: str = Field(default="", pattern="^[0-9a-f]{0,32}$")
    since: str = Field(default="", max_length=64)
    until: str = Field(default="", max_length=64)
    acknowledged: bool | None = None
    before: int = Field(default=0, ge=0, le=1 << 53)
    limit: int = Field(default=100, ge=1, le=10_000)


class AuditQuery(BaseModel):
    """`activity` is the name of a call in this document. `before`: the number of the last record of the page before."""

    user: str = Field(default="", max_length=256)
    activity: str = Field(default="", max_length=100)
    since: str = Field(default="", max_length=64)
    until: str = Field(default="", max_length=64)
    before: int = Field(default=0, ge=0, le=1 << 53)
    limit: int = Field(default=100, ge=1, le=10_000)


class JobQuery(BaseModel):
    """Which jobs to list; empty = whichever. `before`: the id of the last job of the page before. `tag`: one that they inherited."""

    limit: int = Field(default=100, ge=1, le=10_000)
    before: str = Field(default="", max_length=64)
    node: str = ""
    flow: str = ""
    rule: str = Field(default="", max_length=1_000)
    state: Literal["", "queued", "running", "paused", "succeeded", "warnings", "failed", "cancelled", "unknown"] = ""
    trigger: str = Field(default="", max_length=64)
    tag: str = Field(default="", max_length=64)


class Check(Body):
    read_data: bool = False
    subset: str = ""


class Repair(Body):
    """`forget_damaged`: take what is lost for ever out of the points."""

    forget_damaged: bool = False
    dry_run: bool = False


class Scrub(Body):
    """`ratio`: how much of all packs, above 0 and up to 1."""

    ratio: float = Field(default=0.05, gt=0, le=1)


class Drill(Body):
    """`dataset` by label or id. `sample` as in the document, empty = as the rules say. `point` empty = the newest.

    `on`: the node that restores it; empty = as the rules say.
    """

    dataset: str = Field(max_length=1_000)
    sample: str = Field(default="", max_length=40)
    point: str = Field(default="", max_length=2_000)
    on: str = Field(default="", max_length=256)


class JudgeAnomaly(Body):
    """`confirmed`: it was what it looked like; else it was a false alarm."""

    confirmed: bool


class WantedPause(Body):
    """`duration`, like `2h`: it ends by itself then. Empty = it lasts until it is resumed; one that is there already stays as it is."""

    duration: str = Field(default="", max_length=100)
