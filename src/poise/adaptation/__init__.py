"""Adaptation of a text encoder to a catalogue and a log: masked language modelling and contrastive learning."""

from poise.adaptation.adapt import Adaptation, adapt

__all__ = ["Adaptation", "adapt"]
