"""Better options of a model: what ``poise tune`` does."""
