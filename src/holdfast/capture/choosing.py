"""Which datasets a folder belongs to, by their classifications."""

from __future__ import annotations

from holdfast.capture.classify import text_of
from holdfast.capture.frame import Frame


def choose_folder(frame: Frame, name: bytes, selective: int) -> tuple[int, int, int]:
    """(datasets that cover what is below, those it belongs to at once, those it belongs to if it leads to something). `selective`: the
    datasets that do not take everything."""
    mask, member = frame.mask, frame.mask & ~selective
    for target, skip, rules in frame.rules:
        text = text_of(frame.prefix[skip:] + name + b"/")
        if rules.excluded is not None and rules.excluded(text):
            mask &= ~target.bit
        elif rules.included is not None and rules.included(text) and not target.classifier.limited:
            member |= target.bit
    special = frame.specials.get(name)
    if special is not None:
        mask &= ~special.cut
    member &= mask
    return mask, member, mask & ~member
