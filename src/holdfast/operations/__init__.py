"""What each operation asks of capture and receiver: run, cascade, restore."""
