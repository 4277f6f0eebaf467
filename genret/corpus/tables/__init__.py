"""Records with named fields (CSV, TSV, JSON, JSON lines), whichever of them are id, title and text."""
