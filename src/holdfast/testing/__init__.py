"""The shipped test kit: virtual clock, seeded entropy, conformance suites, faults."""
