"""Mounting: points as folders that anybody can read with any tool. Read-only, nothing is copied anywhere.

Glossary
--------
session    one point read from its owner, opened anew where it broke; whoever asks gets an answer or an error in time (`point_session`)
tree       the folders of one point, each listed when it is first looked at (`point_tree`)
content    the bytes of files: chunks fetched in runs, verified, and kept for a while; what will be read next is fetched ahead (`content`)
shelf      many points in one mount: a folder for each dataset, in it one for each point, named by its time (`shelf`, `naming`)
edge       the file system as the kernel asks for it, over libfuse (`edge`); nothing above it knows of FUSE

Whatever a mount reads is held by its owner against prune as long as the session is open.
"""
