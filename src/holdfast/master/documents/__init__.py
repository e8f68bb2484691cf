"""The environment document: revisions of one text, and edits of it."""
