"""Commands that search, and that judge what was found."""
