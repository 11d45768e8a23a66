"""Use cases: one story a file, made of domain and ports."""
