"""Grids of training runs over growing samples of a corpus: resumable jobs, one table, one figure."""

from genret.study.study_jobs import run_study
from genret.study.study_options import Collection, Size, Study
from genret.study.study_report import StudyReport

__all__ = ["Collection", "Size", "Study", "StudyReport", "run_study"]
