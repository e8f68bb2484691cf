"""What root lets the Master ask of this machine.

`limits` reads `limits.toml` and holds rules to it, by `real_paths` as the kernel knows them and `known_places` of repositories;
`vaulting` holds questions to it, `restores` restores to it and to the mirrors that are there.
"""
