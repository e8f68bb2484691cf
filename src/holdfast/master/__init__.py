"""Records, compiler and hub: administers, never touches protected data."""
