"""Selection: champions, refit mappings, benchmark values and the selected model, as pure decisions."""
