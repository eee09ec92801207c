"""What is said of a fit or a search, and what was selected: plain values that import nothing heavy."""
