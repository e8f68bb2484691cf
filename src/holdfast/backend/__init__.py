"""Where a repository's bytes lie: one narrow interface (`backend.Backend`), local folders today."""
