"""What stands in requests and answers."""
