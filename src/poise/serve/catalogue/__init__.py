"""The catalogue as it is this second, and how to find something in it."""
