"""A native folder tree kept equal to a dataset."""
