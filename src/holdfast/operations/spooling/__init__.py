"""Spools of a source at work: what goes into them in a run, and how it gets to the receiver later.

Glossary
--------
keeper     one delivery that keeps moments, with its spool, and the thread that sends what is in it (`keeper`, `sending`)
keepers    all of a source, by the rules in force (`keepers`)
lane       the spool as one more receiver of a run (`lanes`)
"""
