"""Whether a link is good, and what it opens. Nothing is asked of the Master."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from holdfast.core.errors import NotGranted, OutsideLimits
from holdfast.delivery.reading import RemoteReader
from holdfast.model.decoding import UNREADABLE
from holdfast.model.downloads import DownloadOrder, parse_token, signed_bytes_of_download
from holdfast.model.reading import PointReader
from holdfast.node.bounds.limits import load_limits
from holdfast.node.config import load_config
from holdfast.node.downloads.book import DownloadBook
from holdfast.node.membership.rule_store import load_signing_key
from holdfast.node.workers.dial import data_socket
from holdfast.operations.download.download import Download, open_download
from holdfast.wire.authority import verify_signature
from holdfast.wire.data_messages import OpenRead
from holdfast.wire.local import dial_local

_ANSWER_S = 30.0


class ForgedLink(NotGranted):
    """Not signed by the Master: anybody can make one, so the log is not for it."""


@dataclass(frozen=True)
class Opened:
    """What a link opens; `close` lets the point go."""

    download: Download
    reader: PointReader

    def close(self) -> None:
        self.reader.close()


class Gate:
    """Any thread. Key, limits and rules are read anew each time: they may have changed."""

    def __init__(self, home: Path, book: DownloadBook) -> None:
        self._home = home
        self._node = load_config(home).node
        self.book = book

    def order_of(self, token: str) -> DownloadOrder:
        """The order that the link is. Raises `NotGranted` and says which condition fails, `OutsideLimits` where this machine gives none."""
        body, signature = parse_token(token)
        if not verify_signature(load_signing_key(self._home), signed_bytes_of_download(body), signature):
            raise ForgedLink("the link is not signed by this environment's Master", hint="take a new one; all of the address is needed")
        try:
            order = msgspec.json.decode(body, type=DownloadOrder)
        except UNREADABLE as error:
            raise NotGranted(f"not a download link: {error}", hint="bring Master and node to one version") from error
        if order.owner != self._node:
            raise NotGranted("the link is for another node", hint="take a new one")
        if not order.id:
            raise NotGranted("the link has no id", hint="take a new one")
        self.book.check_time(order)
        check_allowed(self._home)
        return order

    def open(self, order: DownloadOrder) -> Opened:
        """Raises what the store worker says: `UnknownName`, `NotReachable`, ...; and what `open_download` raises."""
        channel = dial_local(data_socket(self._home), "Read", self._node)
        try:
            opening = OpenRead(repository=order.repository, dataset=order.dataset, point=order.point)
            reader = RemoteReader(channel, opening, answer_s=_ANSWER_S)
            return Opened(open_download(reader, order.path, order.format), reader)
        except BaseException:
            channel.close()
            raise


def check_allowed(home: Path) -> None:
    """Raises `OutsideLimits` where the machine's root gives no downloads."""
    if not load_limits(home).downloads:
        raise OutsideLimits("this machine gives no downloads", hint="restore instead; or set `downloads = true` in limits.toml there")
