"""What the columns of a table mean: told by their names, in many languages, and by what their values look like."""
