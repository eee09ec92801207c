"""Networks that read events in order."""
