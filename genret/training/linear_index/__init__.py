"""The start of a decoder as a linear index over docid tokens."""
