"""The logger and tracer that a task finds in its execution context."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tilebox_celery.observability import tracing
from tilebox_celery.observability.logging import NAMESPACE

_logger = logging.getLogger(NAMESPACE)
_NOTHING: Mapping[str, object] = {}


class ContextLogger:
    """Log messages with attributes.

    Messages go where `configure_console_logging` and `configure_otel_logging` send them, and into the span of the task.

    Example:
        >>> logger = ContextLogger()
        >>> logger.bind(tile="T33UWP").info("Read tile", bytes=1024)
    """

    __slots__ = ("_attributes", "_identity")

    def __init__(self, identity: Mapping[str, object] = _NOTHING, attributes: Mapping[str, object] = _NOTHING) -> None:
        """Make a logger.

        Args:
            identity: Whose messages these are, for example ``{"task.id": ...}``; exported, but not printed.
            attributes: Attributes of every message.
        """
        self._identity = identity
        self._attributes = attributes

    def bind(self, **attributes: object) -> "ContextLogger":
        """Return a logger that adds these attributes to every message."""
        return ContextLogger(self._identity, {**self._attributes, **attributes})

    def debug(self, message: object, *args: object, **attributes: object) -> None:
        """Log something that helps to find a mistake."""
        self._log(logging.DEBUG, message, args, attributes)

    def info(self, message: object, *args: object, **attributes: object) -> None:
        """Log what happens.

        Args:
            message: The message; with `args`, a format string for ``%``.
            args: Values for the format string.
            attributes: Values that belong to the message, kept apart from its text.
        """
        self._log(logging.INFO, message, args, attributes)

    def warning(self, message: object, *args: object, **attributes: object) -> None:
        """Log something that somebody should look at."""
        self._log(logging.WARNING, message, args, attributes)

    def error(self, message: object, *args: object, **attributes: object) -> None:
        """Log a failure."""
        self._log(logging.ERROR, message, args, attributes)

    def critical(self, message: object, *args: object, **attributes: object) -> None:
        """Log a failure that stops everything."""
        self._log(logging.CRITICAL, message, args, attributes)

    def exception(self, message: object, *args: object, **attributes: object) -> None:
        """Log a failure with the exception that is being handled."""
        self._log(logging.ERROR, message, args, {"exc_info": True, **attributes})

    def _log(self, level: int, message: object, args: tuple[object, ...], attributes: dict[str, Any]) -> None:
        if not _logger.isEnabledFor(level):
            return
        exc_info = attributes.pop("exc_info", None)
        extra = {"identity": self._identity, "attributes": {**self._attributes, **attributes}}
        _logger.log(level, message, *args, exc_info=exc_info, extra=extra, stacklevel=3)


class NoSpan:
    """A span that is not recorded, because no tracing is configured."""

    __slots__ = ()

    def set_attribute(self, key: str, value: object) -> None:
        """Do nothing."""

    def set_attributes(self, attributes: Mapping[str, object]) -> None:
        """Do nothing."""

    def add_event(
        self, name: str, attributes: Mapping[str, object] | None = None, timestamp: int | None = None
    ) -> None:
        """Do nothing."""

    def set_status(self, status: object, description: str | None = None) -> None:
        """Do nothing."""

    def record_exception(self, exception: BaseException, attributes: Mapping[str, object] | None = None) -> None:
        """Do nothing."""

    def update_name(self, name: str) -> None:
        """Do nothing."""

    def is_recording(self) -> bool:
        """Return False."""
        return False


NO_SPAN = NoSpan()


class ContextTracer:
    """Open spans within the span of the task.

    Example:
        >>> tracer = ContextTracer()
        >>> with tracer.span("read tile") as span:
        ...     span.set_attribute("bytes", 1024)
    """

    __slots__ = ()

    def span(self, name: str, **attributes: object) -> AbstractContextManager[Any]:
        """Time a part of the task as a span of its own; an exception that leaves it marks it as failed.

        Args:
            name: Name of the span.
            attributes: Attributes of the span.

        Returns:
            A context manager that gives the OpenTelemetry span, or one that does nothing if tracing is not configured.
        """
        configured = tracing.current()
        return _no_span() if configured is None else configured.span(name, attributes)

    def current_span(self) -> Any:  # an OpenTelemetry span, whose package may not be installed
        """Return the innermost span that is open in this task."""
        configured = tracing.current()
        return NO_SPAN if configured is None else configured.current_span()


@contextmanager
def _no_span() -> Iterator[NoSpan]:
    yield NO_SPAN
