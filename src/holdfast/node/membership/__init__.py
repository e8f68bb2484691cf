"""What binds this machine to its Master: how it became a node, and how it stays one.

`enrol` and `renewing` have the certificate, `hub_client` and `greeting` the session, `rule_store` the signed rules in force,
`audit_anchors` what is kept of the Master's audit log.
"""
