"""Models that need little: random, popular, nearest by content."""
