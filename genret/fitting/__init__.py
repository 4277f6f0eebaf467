"""The whole recipe in one call: docids, examples, training, evaluation, a model folder."""

from genret.fitting.fit_options import FitOptions
from genret.fitting.fit_report import FitReport
from genret.fitting.one_call import fit
from genret.fitting.pipeline import run_fit

__all__ = ["FitOptions", "FitReport", "fit", "run_fit"]
