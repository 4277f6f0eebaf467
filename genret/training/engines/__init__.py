"""Who does the arithmetic of a step: torch alone or DeepSpeed; one checkpoint for both."""
