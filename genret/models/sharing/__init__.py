"""Beams of one query share what they have in common: rows, caches, attention."""
