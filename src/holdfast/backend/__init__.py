"""Where a repository's bytes lie: one narrow interface (`backend.Backend`), local folders today.

Glossary
--------
location   what an administrator writes for it: an absolute path (`location.open_backend`)
file type  config, key, lock, snapshot, index or data, as the restic format names them
grouped    saves that are made durable together, cheaper than one by one (`grouping.GroupedSaves`)
stray      a temporary file that a crash left; under a name restic never lists
"""
