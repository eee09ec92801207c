"""A language model tuned on one's own catalogue and log: masked words, and items that the same people chose."""

from poise.adaptation.adapt import Adaptation, adapt

__all__ = ["Adaptation", "adapt"]
