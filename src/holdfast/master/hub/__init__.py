"""Nodes that are connected: a session each, what they say of themselves, the rules that go out to them.

`hub` holds the sessions, `looks` remembers what nodes say, `roll_call` tells who is there; `readopting` learns from nodes that know more
than the Master does.
"""
