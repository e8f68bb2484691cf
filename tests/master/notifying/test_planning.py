"""What is told to whom: pure, on values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from holdfast.core.errors import UsageError
from holdfast.master.notifying.planning import Plan, Seen, plan, standing_notices, told_lines
from holdfast.master.notifying.sending import without_parts
from holdfast.master.notifying.wording import MOST_LINES, message_of
from holdfast.master.records.notifications import StoredRule, Told
from holdfast.model.jobs import Severity
from holdfast.model.notifications import Notice, NoticeChange, NotifyRule, chosen_by, validate_rule

AT = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def notice(code: str = "dataset-failed", node: str = "files1", severity: Severity = Severity.ERROR, at: datetime = AT) -> Notice:
    return Notice(
        code=code,
        severity=severity,
        subject=f"{node}/docs",
        message="it broke",
        since=at,
        key=f"{code} {node}",
        change=NoticeChange.BEGAN,
        node=node,
    )


class Office:
    """Rules, and what they have told: looks follow on each other."""

    def __init__(self, *rules: NotifyRule) -> None:
        self.rules = [StoredRule(rule=rule, created_at=AT) for rule in rules]
        self.told: dict[tuple[str, str], Told] = {}

    def look(self, minute: float, *standing: Notice, unknown: frozenset[str] = frozenset(), jobs: tuple[Notice, ...] = ()) -> list[str]:
        now = AT + timedelta(minutes=minute)
        made: Plan = plan(self.rules, self.told, Seen(now=now, conditions={n.key: n for n in standing}, unknown_nodes=unknown, jobs=jobs))
        for key in made.forgotten:
            del self.told[key]
        for rule, what, told_at in made.stands:
            self.told[rule, what.key] = Told(rule=rule, key=what.key, told_at=told_at, notice=what)
        return [f"{rule.name} {what.code} {what.change.value}" for rule, what in made.messages]


def rule(name: str, **more: object) -> NotifyRule:
    return NotifyRule(name=name, to=("ops",), **more)  # type: ignore[arg-type]


def test_a_condition_is_told_once_and_its_end_once() -> None:
    office = Office(rule("all"))
    assert office.look(0, notice()) == ["all dataset-failed began"]
    assert office.look(1, notice()) == []
    assert office.look(2) == ["all dataset-failed over"]
    assert office.look(3) == []
    assert office.look(4, notice()) == ["all dataset-failed began"]


def test_one_that_is_over_before_its_time_is_never_told() -> None:
    office = Office(rule("late", after_s=600))
    assert office.look(0, notice(at=AT)) == office.look(9, notice(at=AT + timedelta(minutes=9))) == office.look(9.5) == []
    assert office.look(10, notice(at=AT + timedelta(minutes=10))) == []
    assert office.look(20, notice(at=AT + timedelta(minutes=20))) == ["late dataset-failed began"]


def test_a_clock_that_was_set_back_postpones_nothing_for_as_long_as_it_was_ahead() -> None:
    """Noted ten hours ahead; then the clock is right again, and what is remembered counts from then on."""
    late, often = Office(rule("late", after_s=600)), Office(rule("all", repeat_s=3_600))
    assert late.look(600, notice(at=AT + timedelta(minutes=600))) == []
    assert often.look(600, notice(at=AT + timedelta(minutes=600))) == ["all dataset-failed began"]
    assert late.look(0, notice()) == late.look(9, notice(at=AT + timedelta(minutes=9))) == []
    assert late.look(10, notice(at=AT + timedelta(minutes=10))) == ["late dataset-failed began"]
    assert [often.look(minute, notice()) for minute in (0, 59, 60)] == [[], [], ["all dataset-failed began"]]


def test_a_rule_of_a_time_that_is_not_yet_tells_of_jobs() -> None:
    office = Office(rule("all"))
    office.rules = [StoredRule(rule=each.rule, created_at=AT + timedelta(hours=10)) for each in office.rules]
    job = msgspec.structs.replace(notice("job-failed"), change=NoticeChange.SAID)
    assert office.look(1, jobs=(job,)) == ["all job-failed said"]
    assert office.look(2, jobs=(job,)) == []


def test_one_that_stands_is_repeated() -> None:
    office = Office(rule("all", repeat_s=3600))
    assert [office.look(minute, notice()) for minute in (0, 59, 60, 119, 121)] == [
        ["all dataset-failed began"],
        [],
        ["all dataset-failed began"],
        [],
        ["all dataset-failed began"],
    ]


def test_without_recovery_the_end_is_not_told() -> None:
    office = Office(rule("all", recovery=False))
    assert office.look(0, notice())
    assert office.look(1) == []


def test_stop_ends_the_asking_for_what_it_chose_alone() -> None:
    office = Office(rule("pager", kinds=("dataset-*",), stop=True), rule("mail"))
    assert office.look(0, notice(), notice("node-away")) == ["pager dataset-failed began", "mail node-away began"]


def test_what_stands_says_which_rules_tell_it_and_when() -> None:
    office = Office(
        rule("first", stop=True, repeat_s=3_600, nodes=("files1",)),
        rule("late", after_s=600, digest_s=60),
        rule("off", enabled=False),
    )
    broken, away = notice(), notice("node-away", node="vault", at=AT - timedelta(minutes=1))
    office.look(0, broken, away)
    found = standing_notices(office.rules, office.told, (broken, away), AT + timedelta(minutes=5))
    chosen = [(each.notice.code, [told.rule for told in each.rules]) for each in found]
    assert chosen == [
        ("node-away", ["late"]),
        ("dataset-failed", ["first"]),
    ]
    (late,), (first,) = (each.rules for each in found)
    assert (late.told_at, late.due_at) == (None, AT + timedelta(minutes=10))
    assert (first.told_at, first.due_at) == (AT, AT + timedelta(hours=1))
    # It is sent when it stands: what was told and is not repeated is due no more.
    once = [StoredRule(rule=rule("first"), created_at=AT)]
    ((told,),) = (each.rules for each in standing_notices(once, office.told, (broken,), AT))
    assert (told.told_at, told.due_at) == (AT, None)
    assert standing_notices([], {}, (broken,), AT)[0].rules == ()


def test_since_when_something_stands_is_what_was_seen_first_and_else_not_known() -> None:
    office = Office(rule("all", after_s=3_600))
    office.look(0, notice())
    later = AT + timedelta(minutes=5)
    again = notice(at=later)
    assert [each.since for each in standing_notices(office.rules, office.told, (again,), later)] == [AT]
    assert [each.since for each in standing_notices([], {}, (again,), later)] == [None]
    # A node that is away says itself since when.
    away = notice("node-away", at=AT - timedelta(minutes=1))
    assert [each.since for each in standing_notices([], {}, (away,), later)] == [AT - timedelta(minutes=1)]


def test_of_a_node_that_says_nothing_nothing_is_over() -> None:
    office = Office(rule("all"))
    office.look(0, notice())
    assert office.look(1, unknown=frozenset({"files1"})) == []
    assert office.look(2) == ["all dataset-failed over"]


def test_what_a_rule_does_not_choose_any_more_is_forgotten_and_not_over() -> None:
    office = Office(rule("all"))
    office.look(0, notice())
    office.rules = [StoredRule(rule=rule("all", nodes=("dr",)), created_at=AT)]
    assert office.look(1, notice()) == []
    assert not office.told


def test_a_failed_job_is_told_once_and_not_when_it_failed_before_the_rule() -> None:
    office = Office(rule("all"))
    job = Notice(code="job-failed", severity=Severity.ERROR, subject="restore", message="m", since=AT, key="job 1")
    old = Notice(code="job-failed", severity=Severity.ERROR, subject="restore", message="m", since=AT - timedelta(hours=1), key="job 0")
    assert office.look(0, jobs=(job, old)) == ["all job-failed said"]
    assert office.look(1, jobs=(job, old)) == office.look(2) == []
    assert office.look(4 * 1440) == []
    assert not office.told


def test_a_line_is_not_told_beside_the_finding_of_the_same_thing() -> None:
    rules = [StoredRule(rule=rule("all"), created_at=AT)]
    line = Notice(code="low-disk", severity=Severity.ERROR, subject="files1", message="m", since=AT, key="event 1", node="files1")
    assert [r.name for r, _ in told_lines(rules, [line], [])] == ["all"]
    assert told_lines(rules, [line], [notice("low-disk")]) == []


@pytest.mark.parametrize(
    ("chooses", "is_chosen"),
    [
        ({}, True),
        ({"severity": Severity.ERROR}, False),
        ({"kinds": ("drill-*",)}, True),
        ({"kinds": ("gap", "drill-failed")}, True),
        ({"kinds": ("gap",)}, False),
        ({"nodes": ("files*",)}, True),
        ({"nodes": ("dr",)}, False),
        ({"flows": ("office",)}, True),
        ({"flows": ("lab",)}, False),
        ({"tags": ("prod", "lab")}, True),
        ({"tags": ("lab",)}, False),
        ({"datasets": ("*/documents",)}, True),
        ({"datasets": ("*/mail",)}, False),
        ({"enabled": False}, False),
    ],
)
def test_rules_choose_by_all_that_is_given(chooses: dict[str, object], is_chosen: bool) -> None:
    one = Notice(
        code="drill-failed",
        severity=Severity.WARNING,
        subject="files1/documents",
        message="m",
        since=AT,
        key="k",
        node="files1",
        dataset="files1/documents",
        flows=("office",),
        tags=("prod",),
    )
    assert bool(list(chosen_by([rule("r", **chooses)], one))) is is_chosen


def test_quiet_hours_end_in_their_zone() -> None:
    quiet = rule("r", quiet=("22:00-07:00",), zone="Europe/Berlin")
    assert quiet.send_at(datetime(2026, 1, 2, 23, 0, tzinfo=UTC)) == datetime(2026, 1, 3, 6, 0, tzinfo=UTC)
    assert quiet.send_at(datetime(2026, 1, 2, 12, 0, tzinfo=UTC)) == datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
    always = rule("r", quiet=("00:00-24:00",))
    assert always.send_at(AT) == AT


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a b"},
        {"to": ()},
        {"to": ("nobody",)},
        {"quiet": ("late",)},
        {"zone": "Nowhere/Town"},
        {"repeat_s": 5.0},
        {"after_s": -1.0},
        {"digest_s": float("nan")},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    fields: dict[str, object] = {"name": "r", "to": ("ops",), **wrong}
    with pytest.raises(UsageError):
        validate_rule(NotifyRule(**fields), ["ops"])  # type: ignore[arg-type]


def test_a_message_is_one_title_and_a_line_for_each_notice() -> None:
    one = message_of([notice()], "office")
    assert (one.title, one.severity) == ("Holdfast office: files1/docs: it broke", Severity.ERROR)
    many = message_of([notice()] * (MOST_LINES + 3), "office")
    assert "53 error" in many.title
    assert many.body.count("\n") == MOST_LINES
    assert "and 3 more" in many.body
    over = message_of(
        [Notice(code="gap", severity=Severity.ERROR, subject="s", message="m", since=AT, key="k", change=NoticeChange.OVER)], "office"
    )
    assert (over.title, over.severity) == ("Holdfast office: s is followed again", None)


def test_names_of_others_make_no_lines_of_their_own() -> None:
    bad = Notice(code="x", severity=Severity.ERROR, subject="a\nTo: b\r\n", message="m\x1b[2J", since=AT, key="k")
    message = message_of([bad], "office")
    assert message.title.isprintable()
    assert "\n" not in message.body
    assert "\x1b" not in message.body


def test_what_a_service_said_is_without_its_address() -> None:
    said = "Failed to send to ops%40example.net at HOOKS.example.net with tok3n-abc: Unauthorized, error=401."
    found = without_parts(said, "json://ops%40example.net:s3cret@hooks.example.net/tok3n-abc?to=x")
    assert "example" not in found
    assert "tok3n" not in found
    assert "error=401" in found
