"""Scaffolding: a ``poise.toml`` for the files in a folder."""

from poise.project.scaffold.sample import sample_rows
from poise.project.scaffold.sources import Source, Sources, find_sources
from poise.project.scaffold.toml import scaffold

__all__ = ["Source", "Sources", "find_sources", "sample_rows", "scaffold"]
