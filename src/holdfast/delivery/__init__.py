"""Sending one stream to many receivers, and receiving it: fan-out, cursors, verification.

Glossary
--------
session      the sender's side of one delivery (`session`)
fan-out      all sessions of one run, each in its own thread, none waiting for a stalled one (`fanout`)
receiver     the other side: checks the grant, verifies chunks, drives the actions (`receiver`)
action       store, mirror or forward, as this package sees it (`ports.Action`); it keeps its own cursor
"""
