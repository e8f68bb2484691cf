"""The Debian package: `python -m deb` builds it, `python -m deb.lock` pins what goes into it.

A package of Debian 12 (bookworm), made with `dpkg-deb` from one folder tree. In it: an environment of its own under
`/usr/lib/holdfast` with the wheels of `requirements.lock`, byte for byte what their hashes say; the units of
`holdfast.cli.service_units`; manual pages and completions made from the commands themselves.
Nothing in it depends on when or where it was built (docs/decisions/0044-the-debian-package.md).
"""
