"""How machines talk: messages, their codec, gRPC with mutual TLS, and the shared-memory channel of one machine.

Glossary
--------
message    a frozen msgspec struct of a closed, versioned union (`data_messages`, `hub_messages`)
channel    an ordered, reliable, two-way pipe of messages with back-pressure (`channel.Channel`)
hub        the long session a node keeps with its Master
data       the sessions between nodes: Deliver (stream of commits) and Read (restore, resync)
identity   the key and certificate a process shows; the peer's node id comes from its certificate, never from a message
"""
