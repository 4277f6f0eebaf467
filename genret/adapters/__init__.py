"""Retrievers in the shape that other people's evaluation libraries call; none of these is imported until asked for."""

from genret.adapters.beir import BeirSearch
from genret.adapters.pyterrier import pyterrier_transformer

__all__ = ["BeirSearch", "pyterrier_transformer"]
