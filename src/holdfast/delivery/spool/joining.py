"""Several runs of the spool become one file."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from holdfast.delivery.spool.run_file import RunFile, RunWriter
from holdfast.delivery.spool.thinning import joined_begin, joined_changes, joined_commit
from holdfast.model.change import chunks_of


def write_joined(going: Sequence[RunFile], writer: RunWriter, lent: AbstractSet[bytes]) -> None:
    """The file is whole when this returns. `lent`: chunks that other runs have borrowed. Raises what the writer raises."""
    needed = lent | chunks_of(joined_changes([run.changes() for run in going]))
    try:
        for change in joined_changes([run.changes() for run in going]):
            writer.change(change)
        for run in going:
            for chunk in run.facts.chunks:
                if chunk.ref.id in needed and chunk.ref.id not in writer.chunks:
                    writer.chunk(chunk.ref, run.payload(chunk).data, is_frame=chunk.is_frame)
    except BaseException:
        writer.discard()
        raise
    begin = joined_begin(going[0].facts.begin, going[-1].facts.begin)
    commit = joined_commit([run.facts.commit for run in going], begin.roots)
    borrowed = {chunk for run in going for chunk in run.facts.borrowed} & needed - set(writer.chunks)
    withdrawn = {chunk for run in going for chunk in run.facts.withdrawn} - set(writer.chunks)
    writer.finish(begin, commit, borrowed, withdrawn)
