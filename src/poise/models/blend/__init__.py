"""A weighted sum of models."""
