"""The log and the catalogue: read, check, clean, index, split."""
