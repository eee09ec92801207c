"""Files and frames to a data set: read, cleaned, indexed; what is refused is kept with its reason."""
