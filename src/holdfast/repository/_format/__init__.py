"""The restic repository format v2 as bytes: seal, pack, index, tree, snapshot, keys, locks."""
