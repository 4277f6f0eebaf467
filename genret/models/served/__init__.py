"""Models that an engine of others runs, behind the interface of our own."""
