"""What a table of docids is worth before any training: reports, figures, and how well a model could learn it."""
