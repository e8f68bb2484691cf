"""The machine: file metadata, safe writing below a root, comparing trees, hooks, disk space. Knows Linux, knows nothing of datasets.

Glossary
--------
entry        what `metadata` reads of one path: all that Linux keeps of it, as a value of the model
tree writer  writes below one root and never follows a link out of it; files appear whole or not at all (`tree_writer`)
difference   what two trees do not share, every byte and attribute (`compare`)
hook         a script of this machine's root, run before or after a capture, with a time limit (`hooks`)
watch        what changes below some roots, told as it happens (`watch`, with a glossary and contract of its own)
reserve      bytes of a disk that are left free; below it nothing is begun (`disk`)
home record  a small JSON file that may be lost: read or none, written whole (`home_records`)
"""
