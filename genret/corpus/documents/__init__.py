"""Documents as people keep them (Markdown, HTML, reStructuredText, plain text): a title, and sections."""
