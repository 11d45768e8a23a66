"""Files of the project's home and of destinations: pins, deliveries, and views of what lies there."""
