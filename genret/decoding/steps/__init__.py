"""The parts of a search step: candidates, selection, tails, what is finished."""
