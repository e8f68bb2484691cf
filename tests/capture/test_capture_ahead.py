"""A large file whose content went ahead of its run is not read again by it."""

from __future__ import annotations

import os
from contextlib import closing

from holdfast.capture.ahead import AheadFile
from holdfast.capture.ports import CaptureRequest, Place
from holdfast.model.entry import walk_key


def read_ahead(machine, path, run=1):
    """The pieces, and what the file consists of."""
    with closing(AheadFile(os.fsencode(path), "auto", machine.state, machine.clock)) as file:
        pieces = []
        while (piece := file.piece(3 << 20, len(pieces), run)) is not None:
            pieces.append(piece)
        return pieces, file.finish()


def capture(machine, docs, prepared):
    request = CaptureRequest(
        (machine.rules[docs.dataset],), {docs.dataset: docs.seq}, places=(Place(os.fsencode(machine.source / "film")),)
    )
    run = machine.capture.run(request, prepared=prepared)
    docs.begin(docs.seq)
    for round_ in run:
        docs.take(round_)
    docs.commit(run.run)
    return run


def test_what_went_ahead_is_not_read_again(machine):
    docs = machine.dataset()
    machine.run(docs)
    content = os.urandom(20 << 20)
    (machine.source / "film").write_bytes(content)
    pieces, film = read_ahead(machine, machine.source / "film")
    refs = [ref for piece in pieces for part in piece.segment.parts for ref in part.chunks]
    offsets = [part.offset for piece in pieces for part in piece.segment.parts]
    assert (len(pieces), film.entry.chunks) == (len(offsets), tuple(refs))
    assert offsets == sorted(offsets)
    given = {item.id: item for piece in pieces for item in piece.chunks.payloads([ref.id for ref in piece.segment.offered], "off")}
    assert b"".join(given[ref.id].data for ref in refs) == content
    run = capture(machine, docs, {film.entry.path: film})
    assert run.reader.opened == 0
    assert machine.state.row(walk_key(film.entry.path)).entry().chunks == film.entry.chunks
    assert docs.content(film.entry.path) == (machine.source / "film").read_bytes()


def test_what_changed_since_is_read(machine):
    docs = machine.dataset()
    machine.run(docs)
    (machine.source / "film").write_bytes(os.urandom(12 << 20))
    _, film = read_ahead(machine, machine.source / "film")
    with (machine.source / "film").open("r+b") as file:
        file.write(b"another beginning")
    run = capture(machine, docs, {film.entry.path: film})
    assert run.reader.opened > 0
    assert docs.content(film.entry.path) == (machine.source / "film").read_bytes()


def test_what_changes_on_the_way_is_nothing_to_rely_on(machine):
    (machine.source / "film").write_bytes(os.urandom(12 << 20))
    with closing(AheadFile(os.fsencode(machine.source / "film"), "auto", machine.state, machine.clock)) as file:
        assert file.piece(1, 0, 1) is not None
        os.truncate(machine.source / "film", 11 << 20)
        number = 1
        while file.piece(4 << 20, number, 1) is not None:
            number += 1
        assert file.finish() is None
