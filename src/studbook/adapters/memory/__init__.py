"""Verified fakes: every port in this process's memory, held to the same contract suites as the real adapters."""
