"""What a model is shown, step by step."""
