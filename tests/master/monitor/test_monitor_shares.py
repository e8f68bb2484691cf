"""What promises come to on a mover is the same however they are spread over nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId, JobId
from holdfast.master.monitor.shares import RANK, Share, earliest, jobs_of, shares_of
from holdfast.model.jobs import State
from holdfast.model.node_status import Protection

AT = datetime(2026, 1, 2, tzinfo=UTC)
MOMENTS = st.none() | st.integers(0, 5).map(lambda hours: AT + timedelta(hours=hours))
WAYS = {(DatasetId(name), "backup", ActionId("")): (("office", 0), ("other", 1)) for name in "abc"}
PROTECTIONS = st.builds(
    Protection,
    dataset=st.sampled_from(("n/a", "n/b")),
    dataset_id=st.sampled_from([DatasetId(name) for name in "abcd"]),
    operation=st.just("backup"),
    receiver=st.sampled_from(("vault", "dr")),
    state=st.sampled_from(State),
    last_at=MOMENTS,
    newest_at=MOMENTS,
    due_at=MOMENTS,
    overdue=st.booleans(),
    error=st.none() | st.just(ErrorFacts("no-space", "full", "", False)),
    job=st.none() | st.sampled_from([JobId("1"), JobId("2")]),
    behind_runs=st.integers(0, 2),
)


def _together(shares: list[Share]) -> tuple[object, ...]:
    return (
        [row for share in shares for row in share.rows],
        jobs_of(row for share in shares for row in share.notable),
        min((share.rank for share in shares), default=None),
        max((share.lag_s for share in shares if share.lag_s is not None), default=None),
        earliest(share.last_at for share in shares),
        earliest(share.due_at for share in shares),
        {label for share in shares for label in share.labels},
        {dataset for share in shares for dataset in share.datasets},
    )


def test_what_is_still_to_come_does_not_turn_a_mover_off() -> None:
    """A monthly operation beside an hourly one: the mover was "off" until the first of the month."""
    plain = {"dataset": "n/a", "dataset_id": DatasetId("a"), "receiver": "vault"}
    hourly = Protection(**plain, operation="backup", state=State.SUCCEEDED, last_at=AT)
    monthly = Protection(**plain, operation="monthly", state=State.UNKNOWN, due_at=AT)
    ways = {**WAYS, (DatasetId("a"), "monthly", ActionId("")): (("office", 0),)}
    assert shares_of([hourly, monthly], ways, "office")[0].rank == RANK["ok"]
    assert shares_of([monthly], ways, "office")[0].rank == RANK["off"]


@given(st.lists(PROTECTIONS, max_size=16))
def test_shares_of_nodes_come_to_what_one_node_would_have_with_all(protections: list[Protection]) -> None:
    # A dataset is one node's, whatever it promises of it.
    by_dataset = {dataset: [each for each in protections if each.dataset_id == dataset] for dataset in "abcd"}
    nodes = [by_dataset["a"] + by_dataset["b"], by_dataset["c"], by_dataset["d"]]
    whole = shares_of([each for node in nodes for each in node], WAYS, "office")
    parts = [shares_of(node, WAYS, "office") for node in nodes]
    assert whole.keys() == {index for part in parts for index in part} <= {0}
    assert _together([*whole.values()]) == _together([share for part in parts for share in part.values()])
    for share in whole.values():
        quiet = [row[1] for row in share.rows if row not in share.notable]
        assert all(p.job is None and p.error is None and not p.behind_runs for p in quiet)
