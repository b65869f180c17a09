"""Logging handlers that send records to an OpenTelemetry collector and into the current span."""

import logging
from collections.abc import Mapping

from opentelemetry import trace

from tilebox_celery.observability.destination import Destination
from tilebox_celery.observability.export import Batch
from tilebox_celery.observability.otlp import LogItem, connect_logs, describe_error, load
from tilebox_celery.observability.text import plain, sendable


class OtlpHandler(logging.Handler):
    """Queue each record, with the ids of the span in which it was logged."""

    def __init__(self, destination: Destination, service: Mapping[str, str], interval: float, level: int | str) -> None:
        """Set up the handler with a batch of its own; the connection comes with the first record."""
        super().__init__(level)
        self.destination = destination
        load()
        self.batch: Batch[LogItem] = Batch(str(destination), lambda: connect_logs(destination, service), interval)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record."""
        try:
            span = trace.get_current_span().get_span_context()
            attributes: dict[str, object] = {
                "code.file.path": record.pathname,
                "code.line.number": record.lineno,
                "code.function.name": record.funcName,
                **getattr(record, "identity", {}),
                **getattr(record, "attributes", {}),
            }
            if record.exc_info and record.exc_info[1]:
                attributes |= describe_error(record.exc_info[1], record.exc_info[2])
            self.batch.put(
                LogItem(
                    logger=record.name,
                    nanoseconds=int(record.created * 1e9),
                    level=record.levelno,
                    level_name=record.levelname,
                    message=sendable(record.getMessage()),
                    attributes={sendable(name): plain(value) for name, value in attributes.items()},
                    trace_id=span.trace_id,
                    span_id=span.span_id,
                    flags=span.trace_flags,
                )
            )
        except Exception:  # as every handler: a log call never breaks the program
            self.handleError(record)

    def close(self) -> None:
        """Send what is queued and end the batch."""
        self.batch.close(timeout=2)
        super().close()


class SpanEventHandler(logging.Handler):
    """Add each record as an event ``log.message`` to the span of the running task."""

    def emit(self, record: logging.LogRecord) -> None:
        """Add a record to the current span, if there is one that is recorded."""
        try:
            span = trace.get_current_span()
            if span.is_recording():
                attributes: Mapping[str, object] = getattr(record, "attributes", {})
                span.add_event(
                    "log.message",
                    {
                        **{sendable(name): plain(value) for name, value in attributes.items()},
                        "message": sendable(record.getMessage()),
                        "level": record.levelname,
                    },
                    timestamp=int(record.created * 1e9),
                )
        except Exception:  # as every handler: a log call never breaks the program
            self.handleError(record)
