"""Downloads from this node's own HTTPS port, by links that the Master signs and this node judges alone.

Glossary
--------
door          the agent's part: it holds the port and starts a giver when somebody comes (`door`)
giver         the process that answers; it ends when nobody has come for a while, and may die alone (`giver`)
certificate   what the port shows browsers: the administrator's own, or one of the environment's authority (`certificates`)
book          which links were used, and how far a file was given (`book`)
gate          whether a link is good, and what it opens (`gate`)
answers       what is said over HTTP (`answers`, `byte_ranges`), and how blocks get there from a thread (`pump`)

A giver reads through the store worker's local socket, as a mount does: what it reads is held against prune, and it owns nothing.
"""
