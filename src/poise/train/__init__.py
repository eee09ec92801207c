"""How torch models learn: a loop that can be read as a script, losses, negatives, batches of sequences."""
