"""The ports' implementations. Vendors are imported lazily, inside the adapter that needs them."""
