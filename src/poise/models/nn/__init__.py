"""Torch modules that several models share."""
