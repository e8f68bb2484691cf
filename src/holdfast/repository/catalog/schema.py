"""The catalog's tables. The catalog is a cache: a file of another version, or a damaged one, is thrown away and built again."""

from __future__ import annotations

VERSION = 5

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
-- moment: what changed with it stands in (1) a log, (2) the journal; 0 = nowhere, so that only snapshots keep it. files, size: of the whole
-- dataset, known of moments.
CREATE TABLE commits (
  no INTEGER PRIMARY KEY AUTOINCREMENT, dataset INTEGER NOT NULL, ordinal INTEGER NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
  captured_ns INTEGER NOT NULL, tree BLOB NOT NULL, sealed INTEGER NOT NULL, moment INTEGER NOT NULL DEFAULT 0,
  files INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX commits_of_dataset ON commits (dataset, no);
CREATE INDEX commits_unsealed ON commits (no) WHERE sealed = 0;
CREATE INDEX commits_at ON commits (dataset, captured_ns);
CREATE INDEX commits_as_counted ON commits (dataset, ordinal);

-- commit_no is NULL for snapshots that Holdfast did not make, and until a new one has been given its commit; 0 for a log that can be
-- given none. head: 0 = a point, 1 = a head, 2 = a log, 3 = older versions, 4 = archived files. point is empty for all but points;
-- brief is what the snapshot is as a point (`brief.Brief`), so that nobody has to decode JSON to list them.
CREATE TABLE snapshots (
  id BLOB PRIMARY KEY, dataset INTEGER, commit_no INTEGER, time_ns INTEGER NOT NULL, tree BLOB NOT NULL, point TEXT NOT NULL,
  head INTEGER NOT NULL, brief BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX snapshots_of_dataset ON snapshots (dataset, time_ns);
CREATE INDEX snapshots_of_commit ON snapshots (dataset, commit_no, head, point);
CREATE INDEX snapshots_as_points ON snapshots (point) WHERE head = 0;
-- The snapshot's JSON, apart: large, and wanted for few.
CREATE TABLE snapshot_bodies (id BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
-- Commits that lost a snapshot, to be looked at: perhaps none reaches them any more.
CREATE TABLE loosened (commit_no INTEGER PRIMARY KEY);
CREATE TRIGGER snapshot_gone AFTER DELETE ON snapshots BEGIN
  INSERT OR IGNORE INTO loosened SELECT old.commit_no WHERE old.commit_no IS NOT NULL;
  DELETE FROM snapshot_bodies WHERE id = old.id;
  DELETE FROM logs WHERE id = old.id;
END;

-- The commits of which a log snapshot says what changed, by their ordinals.
CREATE TABLE logs (id BLOB PRIMARY KEY, dataset INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX logs_of_dataset ON logs (dataset, last);
-- Datasets that are followed: what is said of them (`moment_record.Followed`), and whether their changes go into logs.
CREATE TABLE followed (dataset INTEGER PRIMARY KEY, logged INTEGER NOT NULL, facts BLOB NOT NULL);
-- ordinal: of the commit that carried it. Only journal and logs have it, so it goes with the last log that has that commit.
CREATE TABLE gaps (
  dataset INTEGER NOT NULL, until_ns INTEGER NOT NULL, since_ns INTEGER NOT NULL, path BLOB NOT NULL, reason TEXT NOT NULL,
  ordinal INTEGER NOT NULL, PRIMARY KEY (dataset, until_ns, since_ns, path, reason, ordinal)
) WITHOUT ROWID;
CREATE INDEX gaps_as_counted ON gaps (dataset, ordinal);

-- key: walk_key of the folder's path, empty for the root of all.
CREATE TABLE folders (no INTEGER PRIMARY KEY AUTOINCREMENT, dataset INTEGER NOT NULL, key BLOB NOT NULL, UNIQUE (dataset, key));
-- Every path a dataset ever had. Numbers are given once and never again.
CREATE TABLE paths (no INTEGER PRIMARY KEY AUTOINCREMENT, folder INTEGER NOT NULL, name BLOB NOT NULL, UNIQUE (folder, name));
CREATE TABLE owners (
  no INTEGER PRIMARY KEY, uid INTEGER NOT NULL, gid INTEGER NOT NULL, user TEXT NOT NULL, grp TEXT NOT NULL, UNIQUE (uid, gid, user, grp)
);
-- One state of one path from commit from_no until before commit to_no (NULL = still). mode: permission bits, and above them the kind.
CREATE TABLE versions (
  path INTEGER NOT NULL, from_no INTEGER NOT NULL, to_no INTEGER, dataset INTEGER NOT NULL, mode INTEGER NOT NULL, owner INTEGER NOT NULL,
  size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, link BLOB, PRIMARY KEY (path, from_no)
) WITHOUT ROWID;
CREATE INDEX versions_begun ON versions (dataset, from_no);
CREATE INDEX versions_ended ON versions (dataset, to_no) WHERE to_no IS NOT NULL;

-- What `find` looks names up in, filled when somebody searches (`name_index`).
CREATE TABLE names (no INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE);
CREATE TABLE named (name_no INTEGER NOT NULL, path INTEGER NOT NULL, PRIMARY KEY (name_no, path)) WITHOUT ROWID;
CREATE VIRTUAL TABLE name_parts USING fts5(
  name, content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1'
);
-- Names that lost a path, to be looked at: perhaps none has them any more.
CREATE TABLE loose_names (no INTEGER PRIMARY KEY);
CREATE TRIGGER path_gone AFTER DELETE ON paths BEGIN
  INSERT OR IGNORE INTO loose_names SELECT no FROM names WHERE name = old.name;
  DELETE FROM named WHERE name_no = (SELECT no FROM names WHERE name = old.name) AND path = old.no;
END;
"""

# Of one connection: the paths that just lost versions, and the folders that just lost paths.
SCRATCH = """
CREATE TEMP TABLE thinned_paths (no INTEGER PRIMARY KEY);
CREATE TEMP TABLE thinned_folders (no INTEGER PRIMARY KEY);
"""
