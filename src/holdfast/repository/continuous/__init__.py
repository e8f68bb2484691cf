"""Datasets that are followed: commits held in the owner's journal and sealed each minute; every moment kept while the rules say."""
