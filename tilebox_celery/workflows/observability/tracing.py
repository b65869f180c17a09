"""Where the spans of jobs and tasks go."""

from tilebox_celery.observability.tracing import configure_otel_tracing, configure_otel_tracing_axiom

__all__ = ["configure_otel_tracing", "configure_otel_tracing_axiom"]
