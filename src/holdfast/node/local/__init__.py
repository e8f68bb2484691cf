"""For users and programs of this machine, also when the Master is away.

`agent_socket` is the agent's door and `client` who asks there; `mounts` and `mounts_elsewhere` give points to a mount, `metrics_listener`
figures to a Prometheus.
"""
