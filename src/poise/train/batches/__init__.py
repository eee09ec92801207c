"""Training data, batch by batch."""
