"""Columns and context as model inputs: one definition, offline and live."""

from poise.features.columns import ColumnFeatures as ColumnFeatures
