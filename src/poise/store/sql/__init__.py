"""The tables, and how they are written and read."""
