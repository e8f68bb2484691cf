"""The Master administers: records, compiling, rolling out, questions to nodes. It never stores or carries protected data.

Glossary
--------
records       what the Master remembers, in SQLite or PostgreSQL (`records`)
environment   the versioned document and its draft (`documents`)
compilation   active flows and the draft of one, compiled together (`rules.compiling`)
activation    freeze, compile, sign, push, confirm or roll back (`rules.activation`)
session       one connected node (`hub.sessions`); a question is asked through it
enrolment     how a machine becomes a node, and renews its certificate (`membership.enrolment`)
trigger       "run this flow now": stages of jobs on several nodes (`jobs.triggers`)
access        the admin account, its logins and tokens (`people.access`)

The layer above uses `master.Master`, the value that holds all services, and `server` to start it.
"""
