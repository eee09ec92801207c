"""What of the messages is the server's own; the others are in :mod:`poise_client.schema`."""
