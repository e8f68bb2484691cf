"""Restores to this machine, as jobs, and restores taken back.

`job` and `undo` are the jobs, `orders` checks the Master's leave to read one point once, `copies` reads it from several, `mirrors` from a
mirror that is near, `speeds` says which is nearest.
"""
