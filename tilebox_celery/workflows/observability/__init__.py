"""Logs and traces of workflows: see `logging` and `tracing` in this package."""
