"""The shipped test kit: virtual clock, seeded entropy, conformance suites, faults.

Glossary
--------
suite   the mandatory tests of an interface, to be inherited (`action_suite`, `backend_suite`, `channel_suite`, `reader_suite`,
        `watch_suite` and `watch_mounts_suite`)
fake    an implementation in memory that passes the same suite (`memory_action`, `memory_channel`)
fault   a failure that a test plans, and that must be seen to fire (`faulty_backend`, `child`)
scene   real parts put together for many tests (`repository_scene`, `odd_tree`, `node_rules`)
follower who knows a tree only by what a watch tells (`watched_tree`), while it is edited by chance (`random_edits`)
"""
