"""The machine: file metadata, safe writing below a root, comparing trees, hooks, disk space. Knows Linux, knows nothing of datasets."""
