"""Where the log messages of tasks go."""

from tilebox_celery.observability.logging import (
    configure_console_logging,
    configure_otel_logging,
    configure_otel_logging_axiom,
    get_logger,
)

__all__ = ["configure_console_logging", "configure_otel_logging", "configure_otel_logging_axiom", "get_logger"]
