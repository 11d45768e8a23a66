"""Tracking and artifact stores over MLflow."""
