"""The named public data sets."""
