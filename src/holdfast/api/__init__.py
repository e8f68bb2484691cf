"""HTTP over the Master: routes, schemas, error mapping. No logic of its own."""
