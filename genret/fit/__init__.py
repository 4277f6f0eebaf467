"""The whole recipe in one call: docids, examples, training, evaluation, a model folder."""

from genret.fit.pipeline import fit
from genret.fit.report import FitReport
from genret.fit.settings import FitOptions

__all__ = ["FitOptions", "FitReport", "fit"]
