"""Reports: self-contained HTML pages, and plots in one style."""

from poise.report.page import Page, Tone

__all__ = ["Page", "Tone"]
