"""Following a source: changes are captured and delivered as they happen, in many small runs.

Glossary
--------
follower   one thread of the source worker: takes the facts of a watch and makes small runs of them (`follower`)
backlog    what is known to have changed and was not looked at yet; names settle there, large open files wait (`backlog`)
work       a part of the backlog whose time has come: places to look at, moves, gaps
small run  a run that looks only at the places of its work; its commit is `continuous`
reconcile  a small run that looks at a whole tree, because of a gap
tail       the newest changes that were delivered, for people to watch (`tail`, `run_notes`)
pool       sessions to receivers that stay open between small runs (`session_pool`)
"""
