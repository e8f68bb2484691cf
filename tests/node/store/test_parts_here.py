"""What a restore without the Master says of a copy that is, or may be, a part of its point."""

from __future__ import annotations

import msgspec

from holdfast.core.clock import utc
from holdfast.core.ids import DatasetId, PointId, RepositoryId
from holdfast.model.jobs import Severity
from holdfast.model.points import Point
from holdfast.model.rules import Receive, StoreAction
from holdfast.node.store.parts_here import how_much_is_here
from holdfast.testing.node_rules import DOCUMENTS, FILES1, STORE, store_rules

REPOSITORY = RepositoryId("r" * 32)
STORED = StoreAction(id=STORE, repository=REPOSITORY, operations=())
RECEIVE = Receive(dataset=DOCUMENTS, label="files1/documents", sender=FILES1, actions=(STORED,), comes_by="cascade")
RULES = msgspec.structs.replace(store_rules(), receives=(RECEIVE,))
PART = msgspec.structs.replace(RULES, receives=(msgspec.structs.replace(RECEIVE, part=("/srv/a/x",)),))
POINT = Point(
    id=PointId("a" * 32),
    dataset=RECEIVE.label,
    dataset_id=RECEIVE.dataset,
    operation="backup",
    repository="main",
    time=utc(0),
    files=1,
    bytes=1,
    paths=("/srv/a/x",),
)


def test_a_part_is_said_unless_all_that_is_wanted_is_in_it() -> None:
    told = how_much_is_here(PART, REPOSITORY, POINT, ())
    assert told is not None
    assert (told.code, told.severity) == ("only-a-part", Severity.WARNING)
    assert "/srv/a/x" in told.message
    assert how_much_is_here(PART, REPOSITORY, POINT, (b"/srv/a/x/one",)) is None
    assert how_much_is_here(PART, REPOSITORY, POINT, (b"/srv/a/x/one", b"/srv/b")) is not None


def test_the_whole_is_not_spoken_of() -> None:
    assert how_much_is_here(RULES, REPOSITORY, POINT, ()) is None
    # Restic's own.
    assert how_much_is_here(PART, REPOSITORY, msgspec.structs.replace(POINT, dataset_id=DatasetId("")), ()) is None


def test_where_no_rule_speaks_of_the_dataset_it_is_said_that_nobody_knows() -> None:
    told = how_much_is_here(msgspec.structs.replace(RULES, receives=()), REPOSITORY, POINT, ())
    assert told is not None
    assert (told.code, told.severity) == ("whole-not-known", Severity.INFO)
