"""What the agent has written down.

`job_book` has jobs while they live; `journal` (the database `node.db`) has what must survive the agent, `journal_records` the form it is
kept in.
"""
