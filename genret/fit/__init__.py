"""The whole recipe in one call: docids, examples, training, evaluation, a model folder."""

from genret.fit.fit_options import FitOptions
from genret.fit.fit_report import FitReport
from genret.fit.pipeline import fit

__all__ = ["FitOptions", "FitReport", "fit"]
