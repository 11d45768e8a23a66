"""Tracking in an Azure ML workspace, through the vendor's MLflow plugin."""
