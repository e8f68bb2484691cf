"""Signing in by a directory outside: an OpenID provider, or an LDAP server.

directory  where people are known who sign in here; it is in the Master's configuration, and its users have no password here
outsider   whom a directory vouches for: a subject that never changes, a name, and groups
mapping    which groups of a directory bring which grants
round trip the way of a browser to an OpenID provider and back, begun and ended by the same browser
vouching   a sign-in, or a look into an LDAP server, that found the user in order; it holds for so long as the configuration says
"""
