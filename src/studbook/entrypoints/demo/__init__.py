"""The demo: a model's whole life on scikit-learn's handwritten digits."""
