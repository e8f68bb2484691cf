"""Alembic's migrations of the Master's records, shipped in the package and run by `Database.migrate`."""
