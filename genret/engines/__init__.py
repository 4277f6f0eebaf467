"""Constraints inside the engines that people serve their models with: one core, and what each engine calls it by."""
