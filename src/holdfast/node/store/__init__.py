"""The store worker: takes deliveries into this machine's repositories and mirrors, forwards them, and answers what they hold.

`worker` takes the agent's messages, `sessions` those of other nodes, `questions` answers, `maintenance` cares. What it owns is in
`owned`, what it looks at now and then in `watches`.
"""
