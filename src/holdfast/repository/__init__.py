"""The store: points, chunks and catalog of one owner, in the restic repository format. Bytes on disk are private to `_format`.

Glossary
--------
repository  what others use: `repository.create_repository`, `open_repository`, `Repository`; nothing else is for outside
blob        a chunk of data or a tree, sealed in a pack
commit      a received state of a dataset; sealed once a restic snapshot reaches it (`receiving`, `sealing`)
point       a commit marked by an operation: one restic snapshot, its facts in tags (`facts`)
head        the snapshot of a newest commit that is no point; replaced by the next commit
foreign     a restic snapshot that Holdfast did not make: a read-only point
catalog     one SQLite file in the owner's home: index cache, claims, commits, versions; rebuilt when lost (`catalog`, `refresh`)
claim       a node's right to be told "have it" of a chunk, because it sent that chunk itself
session     somebody at work; while there is one, restic's session lock is held (`session_lock`)
"""
