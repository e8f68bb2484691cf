"""Notifications: `conditions` finds what stands, `planning` decides what is told, `wording` says it, `sending` hands it to apprise,
`channels` keeps addresses sealed, `notifications` is the service. From outside only `Notifications` and what it answers."""
