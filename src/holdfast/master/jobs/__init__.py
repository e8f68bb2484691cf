"""What nodes are told to do for somebody, watched to its end: triggers, restores, downloads, drills; and the record of it."""
