"""From sources of text to the batches of a step."""
