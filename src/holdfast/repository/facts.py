"""The facts of a point as tags of its restic snapshot: all that must survive a lost catalog, and `restic tag` and `restic copy`.

`hf:v=1 hf:point=ID hf:rev=N hf:dataset=ID hf:label=files1/documents hf:op=backup hf:kind=backup hf:seq=N hf:epoch=E hf:zone=Z
hf:node=ID hf:files=N hf:bytes=N hf:warnings=N hf:added=N hf:commit=N [hf:lock=UTC]
[hf:expire=UTC] [hf:proven=UTC] [hf:proven-files=N] [hf:doubted=UTC]
[hf:anomaly=ID/STATE/SINCE/UNTIL/HOLD] [hf:tags=A/B]`. A head (a commit without points) has `hf:op=-`
and no point. A log (what changed with each of many commits) has `hf:op=-` and `hf:kind=log`; `hf:commit` and `hf:seq` are then those of its
last commit, `hf:from=N` counts its first. A lineage (single files) has `hf:op=-`, and `hf:kind=lineage` (older versions) or
`hf:kind=archive` (archived files; then each legal hold is a `hf:hold=NAME/SINCE/PATH`, its parts percent-encoded).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes

from holdfast.core.errors import RepositoryDamaged
from holdfast.core.ids import DatasetId, Epoch, PointId
from holdfast.core.units import format_utc
from holdfast.model.anomalies import AnomalyState, Suspicion
from holdfast.model.archiving import LegalHold
from holdfast.model.drills import Proof
from holdfast.model.points import Point
from holdfast.repository._format.snapshot import Snapshot

PREFIX = "hf:"
VERSION = "1"
HEAD = "-"
LOG, LINEAGE, ARCHIVE = "log", "lineage", "archive"
# Of a snapshot that Holdfast did not make: the dataset whose earlier history it is, and the node that is its source.
AS_SET, AS_LABEL, AS_NODE = "hf:as=", "hf:as-label=", "hf:as-node="
LARGEST = 1 << 62
_KEYS = frozenset(
    ("v", "point", "rev", "dataset", "label", "op", "kind", "seq", "epoch", "zone", "node", "files", "bytes", "warnings", "added", "commit")
) | {"lock", "expire", "from", "proven", "proven-files", "doubted", "anomaly", "hold", "tags"}
_HOLD = f"{PREFIX}hold="
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What Holdfast knows of one snapshot. `sender` is the node that delivered it; `revision` rises when tags change.

    `ordinal` counts the dataset's commits in this repository: their order, whatever clocks did. Of a log it is the last one's, and
    `first_ordinal` the first one's. `inherited`: tags that came with the rules, which are names; those given by hand are no facts.
    """

    dataset: DatasetId
    label: str
    operation: str
    kind: str
    point: PointId
    epoch: Epoch
    seq: int
    sender: str
    ordinal: int = 0
    revision: int = 1
    zone: str = "UTC"
    files: int = 0
    size_bytes: int = 0
    warnings: int = 0
    added_bytes: int = 0
    locked_until: datetime | None = None
    expires_at: datetime | None = None
    first_ordinal: int = 0
    proof: Proof | None = None
    suspicion: Suspicion | None = None
    holds: tuple[LegalHold, ...] = ()
    inherited: tuple[str, ...] = ()

    @property
    def is_head(self) -> bool:
        """No point: a head, a log or a lineage."""
        return self.operation == HEAD

    @property
    def is_log(self) -> bool:
        return self.operation == HEAD and self.kind == LOG

    @property
    def is_lineage(self) -> bool:
        return self.operation == HEAD and self.kind == LINEAGE

    @property
    def is_archive(self) -> bool:
        return self.operation == HEAD and self.kind == ARCHIVE


def moment_of(ns: int) -> datetime:
    """Aware UTC datetime, cut to microseconds; also for times before 1970."""
    return _START + timedelta(microseconds=ns // 1000)


def _clean(text: str) -> str:
    """restic separates tags with commas, so none may hold one."""
    return text.replace("%", "%25").replace(",", "%2C")


def _unclean(text: str) -> str:
    return text.replace("%2C", ",").replace("%25", "%")


def tags_of(facts: Facts, others: Iterable[str] = ()) -> tuple[str, ...]:
    values: dict[str, object] = {
        "v": VERSION,
        "point": facts.point,
        "rev": facts.revision,
        "dataset": facts.dataset,
        "label": facts.label,
        "op": facts.operation,
        "kind": facts.kind,
        "seq": facts.seq,
        "epoch": facts.epoch,
        "zone": facts.zone,
        "node": facts.sender,
        "files": facts.files,
        "bytes": facts.size_bytes,
        "warnings": facts.warnings,
        "added": facts.added_bytes,
        "commit": facts.ordinal,
        "lock": format_utc(facts.locked_until) if facts.locked_until else "",
        "expire": format_utc(facts.expires_at) if facts.expires_at else "",
        "from": facts.first_ordinal or "",
        **_proof_values(facts.proof),
        "anomaly": _suspicion_text(facts.suspicion) if facts.suspicion else "",
        "tags": "/".join(facts.inherited),
    }
    own = (f"{PREFIX}{key}={_clean(str(value))}" for key, value in values.items() if value != "")
    return (*own, *(_hold_tag(hold) for hold in facts.holds), *others)


def _proof_values(proof: Proof | None) -> dict[str, object]:
    if proof is None:
        return {}
    return {
        "proven": format_utc(proof.proven_at) if proof.proven_at else "",
        "proven-files": proof.proven_files or "",
        "doubted": format_utc(proof.doubted_at) if proof.doubted_at else "",
    }


def _suspicion_text(suspicion: Suspicion) -> str:
    times = (suspicion.since, suspicion.until, suspicion.hold_until)
    return "/".join((suspicion.id, suspicion.state.value, *("" if each is None else format_utc(each) for each in times)))


def strange_tags(snapshot: Snapshot) -> tuple[str, ...]:
    """Facts that this version does not know: they stay when the known ones change."""
    return tuple(tag for tag in snapshot.tags or () if tag.startswith(PREFIX) and tag[len(PREFIX) :].partition("=")[0] not in _KEYS)


def facts_of(snapshot: Snapshot) -> Facts | None:
    """None for a snapshot Holdfast did not make, or whose tags make no sense."""
    values = dict(tag[len(PREFIX) :].partition("=")[::2] for tag in snapshot.tags or () if tag.startswith(PREFIX))
    if values.get("v") != VERSION or not values.get("dataset") or not values.get("op"):
        return None
    if values["op"] != HEAD and not values.get("point"):
        return None
    try:
        return replace(_facts({key: _unclean(value) for key, value in values.items()}), holds=_holds_of(snapshot))
    except (ValueError, OverflowError):
        return None


def _hold_tag(hold: LegalHold) -> str:
    return f"{_HOLD}{quote(hold.name, safe='')}/{format_utc(hold.since)}/{quote_from_bytes(hold.path, safe='/')}"


def _holds_of(snapshot: Snapshot) -> tuple[LegalHold, ...]:
    """A tag that makes no sense is left out by nobody: raises `ValueError`, lest a hold be lost."""
    holds = []
    for tag in snapshot.tags or ():
        if tag.startswith(_HOLD):
            name, since, path = tag[len(_HOLD) :].split("/", 2)
            holds.append(LegalHold(name=unquote(name), since=datetime.fromisoformat(since), path=unquote_to_bytes(path)))
    return tuple(holds)


def _number(values: Mapping[str, str], key: str, default: int = 0) -> int:
    number = int(values.get(key, default))
    if not 0 <= number < LARGEST:
        raise ValueError(key)
    return number


def _moment(values: Mapping[str, str], key: str) -> datetime | None:
    if not values.get(key):
        return None
    moment = datetime.fromisoformat(values[key])
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _proof(values: Mapping[str, str]) -> Proof | None:
    files = values.get("proven-files", "")
    # An absurd number voids no other fact: a lock is worth more than a count.
    count = int(files) if files.isdecimal() and len(files) < len(str(LARGEST)) else 0
    proof = Proof(proven_at=_moment(values, "proven"), proven_files=count, doubted_at=_moment(values, "doubted"))
    return proof if proof.holds is not None else None


def _suspicion(values: Mapping[str, str]) -> Suspicion | None:
    parts = values.get("anomaly", "").split("/")
    if len(parts) != 5:
        return None
    named = dict(zip(("since", "until", "hold"), parts[2:], strict=True))
    since = _moment(named, "since")
    if not parts[0] or since is None:
        return None
    return Suspicion(
        id=parts[0], state=AnomalyState(parts[1]), since=since, until=_moment(named, "until"), hold_until=_moment(named, "hold")
    )


def _facts(values: Mapping[str, str]) -> Facts:
    return Facts(
        dataset=DatasetId(values["dataset"]),
        label=values.get("label", values["dataset"]),
        operation=values["op"],
        kind=values.get("kind", values["op"]),
        point=PointId(values.get("point", "")),
        epoch=Epoch(values.get("epoch", "")),
        seq=_number(values, "seq"),
        sender=values.get("node", ""),
        ordinal=_number(values, "commit"),
        revision=_number(values, "rev", 1),
        zone=values.get("zone", "UTC"),
        files=_number(values, "files"),
        size_bytes=_number(values, "bytes"),
        warnings=_number(values, "warnings"),
        added_bytes=_number(values, "added"),
        locked_until=_moment(values, "lock"),
        expires_at=_moment(values, "expire"),
        first_ordinal=_number(values, "from"),
        proof=_proof(values),
        suspicion=_suspicion(values),
        inherited=tuple(filter(None, values.get("tags", "").split("/"))),
    )


def group_of(snapshot: Snapshot) -> str:
    """Host and paths: what stock restic groups snapshots by, and what a foreign one is called."""
    return f"{snapshot.hostname}:{','.join(snapshot.paths or ())}"


def bound_node(snapshot: Snapshot) -> str:
    """Of a foreign snapshot that is bound to a dataset, the node that is its source; empty for others."""
    if facts_of(snapshot) is not None:
        return ""
    return next((tag[len(AS_NODE) :] for tag in snapshot.tags or () if tag.startswith(AS_NODE)), "")


def point_of(snapshot_id: bytes, snapshot: Snapshot, repository: str) -> Point:
    """The point a snapshot is; one that Holdfast did not make becomes a foreign one. Raises `RepositoryDamaged` on an impossible time."""
    facts = facts_of(snapshot)
    try:
        time = moment_of(snapshot.time_ns)
    except OverflowError as error:
        raise RepositoryDamaged(f"snapshot {snapshot_id.hex()} has an impossible time") from error
    paths = snapshot.paths or ()
    tags = tuple(tag for tag in snapshot.tags or () if facts is None or not tag.startswith(PREFIX))
    if facts is None:
        bound = {tag.partition("=")[0]: tag.partition("=")[2] for tag in snapshot.tags or () if tag.startswith(PREFIX)}
        tags = tuple(tag for tag in tags if not tag.startswith((AS_SET, AS_LABEL, AS_NODE)))
        return Point(
            id=PointId(snapshot_id.hex()[:32]),
            dataset=bound.get(AS_LABEL[:-1]) or group_of(snapshot),
            dataset_id=DatasetId(bound.get(AS_SET[:-1], "")),
            operation="foreign",
            repository=repository,
            time=time,
            files=0,
            bytes=0,
            snapshot=snapshot_id.hex(),
            paths=paths,
            tags=tags,
            foreign=True,
        )
    return Point(
        id=facts.point,
        dataset=facts.label,
        dataset_id=facts.dataset,
        operation=facts.operation,
        repository=repository,
        time=time,
        files=facts.files,
        bytes=facts.size_bytes,
        seq=facts.seq,
        epoch=facts.epoch,
        snapshot=snapshot_id.hex(),
        paths=paths,
        tags=tags,
        locked_until=facts.locked_until,
        warnings=facts.warnings,
        added_bytes=facts.added_bytes,
        zone=facts.zone,
        expires_at=facts.expires_at,
        proof=facts.proof,
        suspicion=facts.suspicion,
        inherited=facts.inherited,
    )
