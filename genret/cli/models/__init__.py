"""Commands that make models."""
