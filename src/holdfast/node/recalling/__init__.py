"""Archived files read back by the machine that archived them: by its own grant, with no order and no Master.

`worker` keeps the mount that stubs lead to, `job` recalls in the source worker, `archives` reads for both, `book` tells who reads how
much, `here` is what the agent shows and does for the mount.
"""
