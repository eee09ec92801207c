"""Sparse weights from item to item."""
