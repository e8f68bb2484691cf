"""Bytes in packs: written, read, listed, and followed from tree to tree. Knows blobs and folders, nothing of datasets or policies."""
