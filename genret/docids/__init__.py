"""From a corpus to a table of docids."""
