"""Where a repository's bytes lie: one narrow interface (`backend.Backend`), in local folders and in S3 buckets.

Glossary
--------
location   what an administrator writes for it: an absolute path, or `s3://BUCKET/PREFIX?endpoint=URL` (`location.open_backend`)
file type  config, key, lock, snapshot, index or data, as the restic format names them
grouped    saves that are made durable together, cheaper than one by one (`grouping.GroupedSaves`)
stray      a temporary file that a crash left; under a name restic never lists
owner      the node that opens a place (`owner.Owner`); in a bucket its note keeps others away (`lease.Lease`)
retention  until when the store itself refuses to delete a file (`object_lock.ObjectLock`)
copy       index, snapshots and trees of a far repository, kept in the owner's home (`read_cache.ReadCache`)
"""
