"""Celery as transport: apps, queues, wake-ups, and the translation of canvas."""
