"""What the application asks of the world: protocols and their value types."""
