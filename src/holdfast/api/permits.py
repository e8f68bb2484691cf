"""What each endpoint does, and the dependency that lets through who may do it: it stands on all private routes.

A route says `@does(Activity.X)`, with `on=` where the path names what it is done on. A list that shows what one may see, or a call whose
body names things, takes `ReachOf`, checks by it, and says `on="narrowed"`. A route that says nothing more wants a grant on everything, so
that one that forgets to look gives nothing away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, Request

from holdfast.api.callers import CallerOf, MasterOf
from holdfast.core.errors import Refused
from holdfast.model.access import ENVIRONMENT, Activity, Rights, may, may_somewhere
from holdfast.model.sight import REFUSED_HINT, Reach

_DOES = "holdfast_does"
Route = TypeVar("Route", bound=Callable[..., Any])
On = Literal["environment", "node", "flow", "repository", "narrowed"]


@dataclass(frozen=True)
class Does:
    """`on`: the kind of thing that the path names, in a parameter of the same name; `environment` = of all, so that only a grant on
    everything will do; `narrowed` = the route takes `ReachOf` and shows, or touches, only what that reaches."""

    activity: Activity
    on: On = "environment"


def does(activity: Activity, on: On = "environment") -> Callable[[Route], Route]:
    """Says which activity a route is."""

    def mark(route: Route) -> Route:
        setattr(route, _DOES, Does(activity, on))
        return route

    return mark


def done_by(endpoint: Callable[..., Any]) -> Does:
    """Raises `AttributeError` for a route that does not say it."""
    found = getattr(endpoint, _DOES)
    assert isinstance(found, Does)
    return found


def check_everywhere(rights: Rights, activity: Activity) -> None:
    """Raises `Refused` for an activity that is not granted on everything."""
    decision = may(rights, activity, ENVIRONMENT)
    if not decision.allowed:
        raise Refused(decision.why, hint=REFUSED_HINT, activity=activity)


async def _reach(request: Request, caller: CallerOf, master: MasterOf) -> Reach:
    """How far the activity of the route that is called goes for this caller. Raises `Refused` when it is granted on nothing."""
    activity = done_by(request.scope["route"].endpoint).activity
    if not may_somewhere(caller.rights, activity):
        raise Refused(may(caller.rights, activity, ENVIRONMENT).why, hint=REFUSED_HINT, activity=activity)
    return await master.landscapes.reach(caller.rights, activity)


ReachOf = Annotated[Reach, Depends(_reach)]


async def permitted(request: Request, caller: CallerOf, reach: ReachOf) -> None:
    """Raises `Refused` for an activity that the caller has on nothing, or not on what the path names; `UnknownName` for what the caller
    may not even see."""
    does = done_by(request.scope["route"].endpoint)
    name = request.path_params.get(does.on, "")
    match does.on:
        case "node":
            reach.check_node(name)
        case "flow":
            reach.check_flow(name)
        case "repository":
            reach.check_repository(name)
        case "environment":
            check_everywhere(caller.rights, does.activity)
