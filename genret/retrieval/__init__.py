"""Retrievers: a model, its identifiers and its passages as one object that answers queries."""
