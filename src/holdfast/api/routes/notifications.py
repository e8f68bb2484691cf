"""Notifications: which notices go to whom, and by which channels."""

from __future__ import annotations

from fastapi import APIRouter, Response

from holdfast.api.answers import ChannelTested, Deleted
from holdfast.api.callers import MasterOf
from holdfast.api.contract import answers
from holdfast.api.notify_bodies import ChannelWanted, NotifyRuleWanted
from holdfast.api.permits import does
from holdfast.api.replies import reply
from holdfast.master.notifying.notifications import NotificationsNow, NotificationsView
from holdfast.model.access import Activity

router = APIRouter(tags=["notifications"])


@router.get("/notifications")
@answers(NotificationsView)
@does(Activity.ENVIRONMENT_READ)
async def notifications(master: MasterOf) -> Response:
    """Rules in their order, and channels without their addresses."""
    return reply(await master.notifications.view())


@router.get("/notifications/now")
@answers(NotificationsNow)
@does(Activity.ENVIRONMENT_READ)
async def notifications_now(master: MasterOf) -> Response:
    """What stands now, and what each rule makes of it; tells nobody. Lines of the log and failed jobs are told once and do not stand."""
    return reply(await master.notifications.now())


@router.put("/notifications/rules/{rule}")
@answers(NotificationsView)
@does(Activity.NOTIFICATIONS_MANAGE)
async def set_notify_rule(rule: str, body: NotifyRuleWanted, master: MasterOf) -> Response:
    """Make a rule, or put another in its place."""
    return reply(await master.notifications.set_rule(body.named(rule), body.place))


@router.delete("/notifications/rules/{rule}")
@answers(Deleted)
@does(Activity.NOTIFICATIONS_MANAGE)
async def remove_notify_rule(rule: str, master: MasterOf) -> Response:
    await master.notifications.remove_rule(rule)
    return reply(Deleted(deleted=rule))


@router.put("/notifications/channels/{channel}")
@answers(NotificationsView)
@does(Activity.NOTIFICATIONS_MANAGE)
async def set_notify_channel(channel: str, body: ChannelWanted, master: MasterOf) -> Response:
    """Make a channel, or give it another address, which is never shown again."""
    return reply(await master.notifications.set_channel(channel, body.secret_url))


@router.delete("/notifications/channels/{channel}")
@answers(Deleted)
@does(Activity.NOTIFICATIONS_MANAGE)
async def remove_notify_channel(channel: str, master: MasterOf) -> Response:
    await master.notifications.remove_channel(channel)
    return reply(Deleted(deleted=channel))


@router.post("/notifications/channels/{channel}/test")
@answers(ChannelTested)
@does(Activity.NOTIFICATIONS_MANAGE)
async def test_notify_channel(channel: str, master: MasterOf) -> Response:
    """Send a message by it now; an error says why it was not taken."""
    await master.notifications.test(channel)
    return reply(ChannelTested(channel=channel))
