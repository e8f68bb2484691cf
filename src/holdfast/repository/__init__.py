"""The store: points, chunks and catalog of one owner, in the restic repository format. Bytes on disk are private to `_format`."""
