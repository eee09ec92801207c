"""A vector for each item, learnt from who chose what."""
