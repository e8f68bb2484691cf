"""`holdfast demo`: the main job on real data, proven, in one command.

Glossary
--------
scratch    the temporary folder that holds the homes of a Master and three nodes, a copy of the data, and everything restored
machine    one process with a home of its own: the Master, or a node (`machines`)
proof      a comparison that must find nothing: by us, by rsync, by restic (`proofs`)
"""
