"""The archive operation on the source: which files are old enough, asking the owners to keep them, and only then letting go of them."""
