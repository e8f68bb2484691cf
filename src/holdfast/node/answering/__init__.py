"""What the agent says when it is asked, over the hub or its local socket.

`router` knows who answers what: the agent what it records, a worker what repositories hold, the scheduler what becomes a job. `machine`
is what holds here at the moment, `followed_here` what is said of datasets that are followed, `point_events` what is written down of
changes of points.
"""
