"""Synthetic queries: what a language model would ask that each passage answers."""

from genret.queries.filters import FilterOptions
from genret.queries.job import GenerateOptions, QueryJob
from genret.queries.report import QueryReport
from genret.queries.sampler import Sampling, sample_texts

__all__ = ["FilterOptions", "GenerateOptions", "QueryJob", "QueryReport", "Sampling", "sample_texts"]
