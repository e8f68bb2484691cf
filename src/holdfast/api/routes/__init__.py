"""One file per noun; each has a `router`, and a `public` one where something is asked before there is a login."""
