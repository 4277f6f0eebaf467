"""The LIMIT task, made anew from a seed: simple questions that no single vector of a passage can answer all."""

from genret.corpus.limit.limit_making import LimitOptions, LimitTask, limit_task, write_limit

__all__ = ["LimitOptions", "LimitTask", "limit_task", "write_limit"]
