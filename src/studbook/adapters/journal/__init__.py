"""The event log on disk: append-only segment files under the project's home."""
