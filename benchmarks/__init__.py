"""Benchmarks: tilebox_celery beside plain Celery canvas, on the same servers, in the same run."""
