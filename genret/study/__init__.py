"""Grids of training runs over growing samples of a corpus: resumable jobs, one table, one figure."""

from genret.study.options import Collection, Size, Study
from genret.study.report import StudyReport
from genret.study.run import run_study

__all__ = ["Collection", "Size", "Study", "StudyReport", "run_study"]
