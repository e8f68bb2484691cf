"""Commits become points: what a source delivers is received, sealed as snapshots, held, tagged, locked and forgotten."""
