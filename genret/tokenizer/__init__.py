"""Tokenizers: opened, told apart, asked for their special ids, and trained on a corpus of one's own."""
