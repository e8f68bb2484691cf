"""Finding what changed on a source and reading it once: scan, state, classification, chunking.

Glossary
--------
state        the SQLite database of a node: every captured path with fingerprint, chunks, memberships and the run that last changed it
run          one capture, numbered per node; the number becomes the `seq` of the commits it ends in
place        a name, or all that is at and below it, to which a small run is restricted
membership   a path belongs to each dataset whose classification matches it; it is read once for all of them
departed     a path that left a dataset; kept as a tombstone until every receiver has passed it
verdict      what the first pass of a scan found to do with one path; verdicts lie in a ledger on disk until the guard has judged
accounts     totals, and which run changed what: kept beside the rows, so that nobody has to look at all of them
withdrawn    content that a receiver was promised and could not get, because the file changed; captured and sent again next run
horizon      the seq below which removals of a dataset are no longer known; a receiver below it needs a full commit
suspect      an entry changed so shortly before it was read that its ctime cannot tell; read again next run

From outside use `state.CaptureState`, `scan.Capture` and `ports`; the rest is private to this package.
"""
