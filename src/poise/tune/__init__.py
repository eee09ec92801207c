"""Hyperparameter optimisation: what ``poise tune`` does."""
