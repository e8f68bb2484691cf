"""Who people are at the Master, what they may do, and what was asked in their name.

Logins and tokens (`access`), browsers that are logged in, permissions, the desk of calls that need a second person, the audit log.
"""
