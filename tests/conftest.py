"""For all tests: what a busy machine does must not decide them."""

from __future__ import annotations

from hypothesis import settings

# Examples have no time limit of their own: pytest's holds for the whole test, and a machine at work is no failure.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")
