"""What a table of people's data holds: its columns by name and by type, and moments in any notation."""
