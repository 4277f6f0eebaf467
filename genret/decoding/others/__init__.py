"""Our constraints inside other people's generation: Hugging Face's `generate`, bitmasks, prefix functions."""
