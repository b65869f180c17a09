"""Logs and traces of jobs and tasks, on the console and by OpenTelemetry."""
