"""Holdfast: draw what is to happen with data, compile it into rules, let every machine keep them.

Start with ARCHITECTURE.md. The packages are layers; the import contract in `pyproject.toml` says who may import whom.
"""

__version__ = "0.1.0"
