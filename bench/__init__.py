"""The main job measured beside its peers on the same data in the same run. `python -m bench.main_job --help`.

Glossary
--------
corpus      the files that are backed up (`corpus`)
contender   one tool, or one way of setting Holdfast up, that can do some of the stages (`holdfast_contender`, `peers`)
stage       one piece of work, the same for every contender: first, unchanged, changed, restore, mirror, ... (`rounds`)
figure      wall seconds, CPU seconds of all processes, and peak memory of one stage (`figures`)
"""
