"""A tower for the request and one for the item, and their product."""
