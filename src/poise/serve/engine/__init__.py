"""How a request is answered, and what happens when a stage fails."""
