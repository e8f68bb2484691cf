"""The source worker: captures what this machine has and delivers it.

`worker` takes the agent's messages, `runs` are what the scheduler asks for, `following` is what goes on between them as things change,
`state_holder` has the one capture state of both, `archiving` lets go of files that are archived.
"""
