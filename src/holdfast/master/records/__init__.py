"""What the Master remembers.

Glossary
--------
database     an engine and its transactions (`database`); one request is one transaction
table        `tables`; created and changed by the migrations shipped in `migrations`
documents    revisions of the environment document, and which flows are active from which
inventory    nodes, their keys and the rules made for each
access       users, API tokens, join tokens; only hashes of secrets are kept
browser_sessions  browsers that are logged in; hashes here too
happenings   jobs, events and triggers
"""
