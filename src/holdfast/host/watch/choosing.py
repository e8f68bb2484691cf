"""The best listener that the machine allows for a ground, and why it is not a better one."""

from __future__ import annotations

import errno

from holdfast.core.clock import Clock
from holdfast.core.errors import WatchUnavailable
from holdfast.host.watch.facts import Means, Shortfall, WatchRequest
from holdfast.host.watch.fanotify import FanotifyListener
from holdfast.host.watch.ground import Ground
from holdfast.host.watch.inotify import InotifyListener
from holdfast.host.watch.listener import Listener
from holdfast.host.watch.territory import Territory
from holdfast.model.entry import display_path

_WHY = {
    errno.EPERM: Shortfall.NOT_PERMITTED,
    errno.EACCES: Shortfall.NOT_PERMITTED,
    errno.EMFILE: Shortfall.NO_QUEUE_LEFT,
}


def choose_listener(request: WatchRequest, territory: Territory, ground: Ground, clock: Clock) -> tuple[Listener, frozenset[Shortfall]]:
    """Raises `WatchLimited`, and `WatchUnavailable` when the only means asked for does not work there."""
    if request.only is Means.INOTIFY:
        why = Shortfall.NOT_CHOSEN
    else:
        try:
            return FanotifyListener(territory, ground, clock), frozenset()
        except OSError as error:
            why = _WHY.get(error.errno or 0, Shortfall.NOT_SUPPORTED)
            if request.only is Means.FANOTIFY:
                shown = ", ".join(map(display_path, ground.scopes))
                raise WatchUnavailable(
                    f"fanotify cannot watch {shown} ({ground.kind}): {error.strerror}",
                    hint="run the node as root on Linux 5.17 or newer, or let it use inotify",
                    reason=why.value,
                ) from error
    return InotifyListener(territory, ground, most_folders=request.most_folders), frozenset({why})
