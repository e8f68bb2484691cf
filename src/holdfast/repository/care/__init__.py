"""Care: what proves the store whole and mends it (check, scrub, repair, healing from another copy)."""
