"""A native folder tree kept equal to a dataset.

Glossary
--------
target       the folder (or file) kept equal to one root of the dataset's classification
side folder  `.holdfast-BASENAME` beside the target: records, temporary files, kept removals; never inside the mirror
records      SQLite: what the mirror holds, which chunk lies where, what the open commit will change (`records`)
staged       a change that arrived and is not in place yet; its content lies complete in the side folder (`staging`)
placing      carrying out all staged changes at a commit; begun is always finished, also after a crash (`placing`)
spare        content staged by a commit that never came; a source of chunks for the next one
moved tree   something renamed at the source, to be renamed here, too (`moves` what the source says, `moving` what is done)
survey       reading what stands there and the records do not know, before chunks are asked for (`surveying`)
look         going through the whole mirror for what others did (`inspecting`)
edited       changed in the mirror by somebody else; moved aside, never deleted or overwritten (`removals`)
adopt        take over a folder that is not empty and was not made by this dataset

From outside use `mirror.MirrorStore`.
"""
