"""The words of Holdfast as frozen values and pure functions. No I/O, no clock, no randomness.

Glossary
--------
document    the environment as an administrator writes it (`document`)
diagnostic  a finding of parser or compiler, with code and place (`diagnostics`)
rules       the compiled orders of one node (`rules`)
entry       one path with its metadata and chunks (`entry`)
change      put or remove of one path (`change`)
commit      an atomic group of changes of one dataset, ordered by seq (`change`)
point       a restore point (`points`)
retention   which points a keep rule keeps (`retention`)
job, event  what happened, as records (`jobs`)
operation   the specs of the operation kinds: ports and options (`operations`)

Import the modules, not this package.
"""
