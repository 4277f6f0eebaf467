"""The whole recipe in one call: docids, examples, training, evaluation, a model folder."""

from genret.fit.pipeline import fit
from genret.fit.report import FitReport
from genret.fit.settings import FitSettings

__all__ = ["FitReport", "FitSettings", "fit"]
