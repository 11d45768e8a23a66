"""The sampler port over Optuna's ask-and-tell interface."""
