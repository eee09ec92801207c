"""What a model is punished for."""
