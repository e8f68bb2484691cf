"""Answers about points: listings, searches, histories, explanations, and the entries and frames a restore reads."""
