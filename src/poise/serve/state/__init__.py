"""What is served, who did what, what is popular: in memory, and kept up with the store."""
