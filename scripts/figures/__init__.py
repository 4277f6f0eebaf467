"""The figures of the documentation, drawn from tables of its pages, so that figure and table cannot disagree."""
