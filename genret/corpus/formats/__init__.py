"""One file a format of corpora, queries, judgements and runs, and the registry of them all."""
