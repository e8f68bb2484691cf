"""The ground everything stands on: errors, clock, entropy, ids, units, logging, private files, small databases. Standard library only.

Glossary
--------
error     a value of the tree in `errors`; it has a code, a hint and a retryable flag, and travels over wires as `ErrorFacts`
clock     the only source of time; injected, so that tests own the time
entropy   the only source of randomness; injected for the same reason
id        a random identity that never changes; names are labels beside it
private   readable by its owner only, replaced whole or not at all (`private_files`); one process at a time (`single_instance`)
unit      how people write durations, sizes, rates and times, and how we print them
"""
