"""What to show, once it is known who likes what: dials with measured consequences."""
