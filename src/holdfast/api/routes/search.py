"""Searching over all time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from msgspec.structs import replace

from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.permits import ReachOf, does
from holdfast.api.replies import reply
from holdfast.master.answers.found import FoundHits
from holdfast.model.access import Activity
from holdfast.model.search import Search, search_of
from holdfast.model.searching import AskSearch

router = APIRouter(tags=["repositories"])
Page = Annotated[int, Query(ge=1, le=1_000)]
Seconds = Annotated[float, Query(ge=0, le=5)]
_Text = Annotated[str, Query(max_length=20_000)]


def _name(name: _Text = "", match: str = "", case: str = "") -> dict[str, str]:
    return {"name": name, "match": match, "case": case}


def _version(size: str = "", modified: str = "", existed: str = "", owner: str = "", type: str = "") -> dict[str, str]:
    return {"size": size, "modified": modified, "existed": existed, "owner": owner, "type": type}


def _what_to_search(
    master: MasterOf,
    name: Annotated[dict[str, str], Depends(_name)],
    version: Annotated[dict[str, str], Depends(_version)],
    under: str = "",
    ending: str = "",
    state: str = "",
) -> Search:
    return search_of({**name, **version, "under": under, "ending": ending, "state": state}, master.base.now())


def _where(what: Annotated[Search, Depends(_what_to_search)], dataset: str = "", repository: str = "") -> AskSearch:
    return AskSearch(search=what, dataset=dataset, repository=repository)


@router.get("/search")
@answers(FoundHits)
@does(Activity.DATA_READ, on="narrowed")
async def search(
    master: MasterOf,
    reach: ReachOf,
    where: Annotated[AskSearch, Depends(_where)],
    limit: Page = 100,
    cursor: str = "",
    within: Seconds = 2.0,
) -> Response:
    """Paths that ever had a version that fits, in the order of their names, page by page: go on with `cursor` while there is one.

    `within`: after about so many seconds owners answer with what they have found by then, which may be nothing yet.
    """
    return reply(await master.queries.search(replace(where, limit=limit, within_s=within), cursor, reach.may))
