"""The catalog's tables. The catalog is a cache: a file of another version, or a damaged one, is thrown away and built again."""

from __future__ import annotations

VERSION = 2

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE indexes (no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
-- plain: what its blobs are without compression and encryption.
CREATE TABLE packs (no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, plain INTEGER NOT NULL);
CREATE TABLE index_packs (index_no INTEGER NOT NULL, pack_no INTEGER NOT NULL, PRIMARY KEY (index_no, pack_no)) WITHOUT ROWID;
-- raw: plain length of a compressed blob, 0 = not compressed. owner: the node that stored it first, 0 = not known.
CREATE TABLE blobs (
  id BLOB NOT NULL, type INTEGER NOT NULL, pack INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
  raw INTEGER NOT NULL, owner INTEGER NOT NULL, PRIMARY KEY (id, type, pack)
) WITHOUT ROWID;

CREATE TABLE nodes (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
-- Further nodes that have proven to hold a chunk, by sending it.
CREATE TABLE claims (id BLOB NOT NULL, node INTEGER NOT NULL, PRIMARY KEY (id, node)) WITHOUT ROWID;

CREATE TABLE datasets (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
-- sealed 0: being received; its rows are undone if it never gets there. Numbers rise in the order of a dataset's commits;
-- ordinal is the same order without gaps at the time of writing, and stands in the snapshot's tags too.
CREATE TABLE commits (
  no INTEGER PRIMARY KEY AUTOINCREMENT, dataset INTEGER NOT NULL, ordinal INTEGER NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
  captured_ns INTEGER NOT NULL, tree BLOB NOT NULL, sealed INTEGER NOT NULL
);
CREATE INDEX commits_of_dataset ON commits (dataset, no);
-- body: the snapshot's JSON. commit_no is NULL for snapshots that Holdfast did not make.
CREATE TABLE snapshots (
  id BLOB PRIMARY KEY, dataset INTEGER, commit_no INTEGER, time_ns INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX snapshots_of_dataset ON snapshots (dataset, time_ns);

-- One state of one path from commit from_no until before commit to_no (NULL = still). key: walk_key of the path.
CREATE TABLE versions (
  dataset INTEGER NOT NULL, key BLOB NOT NULL, from_no INTEGER NOT NULL, to_no INTEGER,
  kind INTEGER NOT NULL, mode INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  uid INTEGER NOT NULL, gid INTEGER NOT NULL,
  PRIMARY KEY (dataset, key, from_no)
) WITHOUT ROWID;
CREATE INDEX versions_ended ON versions (dataset, to_no) WHERE to_no IS NOT NULL;
"""
