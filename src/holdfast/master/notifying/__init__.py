"""Notifications: `conditions` finds what stands, `planning` decides what is told, `wording` says it, `sending` hands it to apprise,
`scripts` to a script, `channels` keeps addresses sealed, `notifications` is the service. From outside only `Notifications` and what it
answers."""
