"""Holdfast measured beside its peers on the same data in the same run. `python -m bench --help`.

Glossary
--------
corpus      the files that are backed up, built on the spot, the same on every machine (`corpora`)
contender   one tool, or one way of setting Holdfast up (`holdfast_contender`, `peers`)
stage       one piece of work, the same for every contender: first, unchanged, changed, restore, ... (`contender.STAGES`)
suite       a corpus with the stages that make sense on it (`suites`)
round       all contenders of a suite once, one after the other, each on a fresh copy of the corpus (`rounds`)
figure      wall seconds, CPU seconds of all processes, peak memory of one stage (`figures`)
watch       what a watch of a tree costs, loses and tells how soon (`watch`, `watch_follower`, `watched_edits`, `open_files`)
live        how soon a mirror follows, beside lsyncd and Syncthing (`live`, and what begins with `live_`)
fan-out     one classification to two repositories and two mirrors, against one repository (`fan_out`)
"""
