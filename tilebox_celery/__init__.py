"""Tilebox workflows, self-hosted on Celery with a durable Postgres job ledger."""
