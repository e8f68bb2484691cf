"""The composition root: commands, output, exit codes. The only reader of environment variables.

Glossary
--------
home       the folder a machine's Holdfast lives in: `--home`, else `$HOLDFAST_HOME`, else the default of this user
session    address, CA and token of a Master, kept in `HOME/client.json` by `up`, `master init` and `login`
reach      how a command gets its answer: the Master's API, or this machine's own agent when the Master is away
"""
