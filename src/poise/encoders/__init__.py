"""Content to unit vectors, cached by content."""

from poise.encoders.text import TextEncoder

__all__ = ["TextEncoder"]
