"""What may be done to people's data; each service owns its transaction."""
