"""Archived files: one lineage for each dataset, `/TIME/path` for each version, sealed and read back before the source may let go."""
