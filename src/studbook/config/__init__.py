"""Composition root: settings, the tracking target, and the container that wires adapters to use cases."""
