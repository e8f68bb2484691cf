"""HTTP over the Master: routes, schemas, error mapping. No logic of its own.

Glossary
--------
app       the FastAPI application of one Master (`app.create_app`)
route     one noun of `/api/v1`, a file each under `routes`
schema    what a request body may hold (`schemas`); replies are values of `model` and `master`, written by `replies`
error     one shape for all of them, one table from codes to HTTP status (`errors`)
serve     the Master with this API in front of it, until it is told to stop (`serve.run_master`)
"""
