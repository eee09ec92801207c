"""Pages that a person reads: one self-contained HTML file each, and plots in house style."""

from poise.report.page import Page, Tone

__all__ = ["Page", "Tone"]
