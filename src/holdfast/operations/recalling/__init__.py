"""Recall: the file itself comes back into the place of its stub. Plan, then execute.

Glossary
--------
stub      a symbolic link into the recall mount; it names one archived version (`model.archiving`)
finding   why a stub stays one: it was replaced meanwhile, its version is gone, the disk refuses
record    when which path was recalled, so that an archive does not take it again at once (`recalled`)

A recall may be broken off at any step and be done again: what is a stub still is recalled then. A file is written beside its stub and
takes its place in one step; whatever else stands there by then comes back.
"""
