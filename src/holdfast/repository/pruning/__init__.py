"""Pruning: what nothing needs any more is marked, and taken away once nobody can still want it."""
