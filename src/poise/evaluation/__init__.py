"""Evaluation: metrics over the whole catalogue, with intervals, significance and groups, and an HTML report."""

from poise.evaluation.cross_validation import CrossValidation, cross_validate
from poise.evaluation.evaluate import evaluate
from poise.evaluation.html import write_report
from poise.evaluation.metrics import METRICS, Metric
from poise.evaluation.report import Protocol, Report
from poise.evaluation.significance import Comparison, Estimate, Measured

__all__ = [
    "METRICS",
    "Comparison",
    "CrossValidation",
    "Estimate",
    "Measured",
    "Metric",
    "Protocol",
    "Report",
    "cross_validate",
    "evaluate",
    "write_report",
]
