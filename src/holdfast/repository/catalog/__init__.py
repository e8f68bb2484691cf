"""The catalog: one SQLite file in the owner's home with the index cache, commits, versions and names; rebuilt from the store when lost."""
