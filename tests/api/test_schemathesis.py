"""Every operation of the OpenAPI document, called as schemathesis calls: no fault of ours, and no answer that it does not describe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from holdfast.api.errors import STATUS
from holdfast.model.jobs import State
from tests.api.generated_calls import TEXTS, calls, hostile_requests, request_of
from tests.api.served import Served, served_master
from tests.api.streams import subscribed
from tests.api.test_contract import a_job, an_owner
from tests.master import masters
from tests.master.masters import ONE_TO_TWO, Running, with_master

ANSWERS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
"""What holds of every answer. Not `positive_data_acceptance`: what a time, a path or a document may say is more than a schema tells."""
STREAMING = {"live_events"}
"""Its answer does not end; tests/api/test_live_events.py reads it, and below it is asked for hostile places to go on from."""
LAST = ("revoke", "delete_token", "close_session")
"""What takes away what the others need."""
NOT_REACHABLE = STATUS["not-reachable"]
"""The one 5xx that a call may be answered with here: a machine named in it is no node that is connected."""
OF_THE_DOOR = {405, 408, 413}


@contextmanager
def a_protected_office(tmp_path: Path, records: str, request: pytest.FixtureRequest) -> Iterator[Served]:
    """Three nodes that answer, an active flow, a job that ran."""
    with ExitStack() as stack:
        if records == "postgresql":
            stack.enter_context(masters.records_in(request.getfixturevalue("postgresql_server")))
        served = stack.enter_context(served_master(tmp_path))
        served.do(_prepare(served.running))
        yield served


async def _prepare(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    for node in running.nodes.values():
        node.answer = an_owner
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    vault = running.nodes["vault"]
    await vault.report(1, (a_job(State.SUCCEEDED),), ())
    await vault.until(lambda: vault.received == 1)


class Examiner:
    """Calls every operation and keeps what is wrong with the answers, at most two of a kind. `statuses`: how many answers of each."""

    def __init__(self, served: Served) -> None:
        self._served = served
        document = schemathesis.openapi.from_dict(served.running.app.openapi())
        found = [each.ok() for each in document.get_all_operations()]
        self.operations = sorted(found, key=lambda each: self.name(each) in LAST)
        self.wrong: dict[tuple[str, str], list[str]] = {}
        self.statuses: dict[int, int] = {}

    @staticmethod
    def name(operation: APIOperation[Any]) -> str:
        return str(operation.definition.raw["operationId"])

    def each(self, examine: Callable[[APIOperation[Any]], None]) -> None:
        for operation in self.operations:
            if self.name(operation) not in STREAMING:
                examine(operation)

    def send(self, request: httpx.Request) -> httpx.Response:
        """As the administrator. A minute passes, else the brake on guesses would answer for the rest."""
        running = self._served.running
        if request.url.path.endswith(("/login", "/session")):
            running.clock.offset_s += 61
        request.headers["authorization"] = running.http.headers["authorization"]
        answer = self._served.send(request)
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        return answer

    def judge(self, operation: APIOperation[Any], request: httpx.Request, answer: httpx.Response) -> None:
        status = answer.status_code
        if status >= 500 and status != NOT_REACHABLE:
            self.note(operation, str(status), request, answer)
        elif status not in (200, *STATUS.values(), *OF_THE_DOOR):
            self.note(operation, f"undocumented {status}", request, answer)
        elif status != 200 and set(answer.json()) != {"error"}:
            self.note(operation, "no error of ours", request, answer)

    def note(self, operation: APIOperation[Any], what: str, request: httpx.Request, answer: httpx.Response) -> None:
        found = self.wrong.setdefault((operation.label, what), [])
        if len(found) < 2:
            found.append(f"{request.method} {str(request.url)[:300]} {request.content[:500]!r} -> {answer.status_code} {answer.text[:500]}")

    def examine(self, operation: APIOperation[Any], mode: GenerationMode, examples: int) -> None:
        checks = [*ANSWERS, negative_data_rejection] if mode is GenerationMode.NEGATIVE else ANSWERS

        def one(case: Case[Any]) -> None:
            request = request_of(case)
            answer = self.send(request)
            self.judge(operation, request, answer)
            try:
                case.validate_response(answer, checks=checks)
            except* AssertionError as wrong:
                self.note(operation, "; ".join(str(each).splitlines()[0] for each in wrong.exceptions), request, answer)

        _generate(examples)(given(calls(operation, mode))(one))()

    def examine_hostile(self, operation: APIOperation[Any], examples: int) -> None:
        def one(request: httpx.Request) -> None:
            self.judge(operation, request, self.send(request))

        _generate(examples)(given(hostile_requests(operation))(one))()

    def told(self) -> str:
        return "\n".join(f"{label}: {what}\n    " + "\n    ".join(seen) for (label, what), seen in self.wrong.items())


def _generate(examples: int) -> settings:
    """Always the same ones. Nothing is shrunk: a second call does not meet the Master that the first one met."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.big
@pytest.mark.timeout(600)
@pytest.mark.parametrize("records", ["sqlite", "postgresql"])
def test_what_is_asked_as_documented_is_answered_as_documented(tmp_path: Path, records: str, request: pytest.FixtureRequest) -> None:
    with a_protected_office(tmp_path, records, request) as served:
        examiner = Examiner(served)
        examiner.each(lambda operation: examiner.examine(operation, GenerationMode.POSITIVE, 8))
        assert not examiner.wrong, examiner.told()
        assert examiner.statuses[200] > 2 * len(examiner.operations)


@pytest.mark.big
@pytest.mark.timeout(600)
def test_what_is_asked_against_the_document_is_refused(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with a_protected_office(tmp_path, "sqlite", request) as served:
        examiner = Examiner(served)

        def examine(operation: APIOperation[Any]) -> None:
            # A call that has nothing to say, or only names, cannot be said wrongly.
            if operation.body or operation.query:
                examiner.examine(operation, GenerationMode.NEGATIVE, 6)

        examiner.each(examine)
        assert not examiner.wrong, examiner.told()


@pytest.mark.big
@pytest.mark.timeout(600)
@pytest.mark.parametrize("records", ["sqlite", "postgresql"])
def test_hostile_words_are_the_callers_fault(
    tmp_path: Path, records: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    with a_protected_office(tmp_path, records, request) as served:
        examiner = Examiner(served)
        with caplog.at_level(logging.ERROR):
            examiner.each(lambda operation: examiner.examine_hostile(operation, 8))
        assert not examiner.wrong, examiner.told()
        assert not [record for record in caplog.records if record.exc_info]


@with_master
async def test_a_hostile_place_to_go_on_from_is_no_fault(running: Running) -> None:
    bearer = {"authorization": running.http.headers["authorization"]}
    for place in TEXTS:
        word = quote(place.encode(errors="surrogatepass")[:5_000])
        async with subscribed(running.app, bearer, f"after={word}") as events:
            if len(place) > 64:
                await events.ended()
                assert events.status == 400
            else:
                assert (await events.next()).event == "snapshot"
