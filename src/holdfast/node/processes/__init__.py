"""Worker processes: how they come to be, are told the rules, and come again when they die.

`supervisor` is the agent's hold on them, `start` and `fork_server` the two ways one begins, `worker_main` what runs first in it.
"""
