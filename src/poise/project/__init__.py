"""A project folder: its ``poise.toml``, its data, its runs."""

from poise.project.project import Project
from poise.project.run import Run

__all__ = ["Project", "Run"]
