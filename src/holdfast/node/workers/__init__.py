"""What workers have in common, whatever they do.

`messages` and `link` lead to the agent, `jobs` are lanes in which jobs run, `turns` many small works in one thread, `periodic` looks now
and then, `dial` reaches data servers, `asides` names what runs put aside.
"""
