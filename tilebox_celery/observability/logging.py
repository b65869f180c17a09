"""Configure where the log messages of tasks and runners go, and get loggers for them."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from tilebox_celery.observability.console import ConsoleHandler
from tilebox_celery.observability.destination import (
    AXIOM,
    Destination,
    describe_service,
    find_axiom,
    find_destination,
    find_interval,
    require_otel,
)
from tilebox_celery.observability.text import show

NAMESPACE = "tilebox_celery.workflows"
"""Loggers of task authors; the runner's own are beside it and report warnings only."""

_package = logging.getLogger("tilebox_celery")
_workflows = logging.getLogger(NAMESPACE)
_ours: list[logging.Handler] = []
_PACKAGE_FOLDER = str(Path(__file__).parents[1])


def configure_console_logging(level: int | str = logging.INFO) -> None:
    """Print log messages on standard output: time in UTC, level, message.

    Calling it again changes the level. Colours are used on a terminal, unless NO_COLOR is set.

    Args:
        level: Least level that is printed, for example ``logging.DEBUG`` or ``"DEBUG"``.

    Example:
        >>> configure_console_logging(logging.WARNING)
        >>> get_logger().info("not printed")
    """
    _package.propagate = False  # or a notebook's root handler would print everything a second time
    replace_handler(ConsoleHandler(level))


def configure_otel_logging(
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    service: str | None = None,
    level: int | str | None = None,
    *,
    export_interval: timedelta | str | None = None,
    reconfigure: bool = False,
) -> None:
    """Send log messages to an OpenTelemetry collector, by OTLP over HTTP.

    Calling it again for the same endpoint changes nothing; another endpoint gets the messages as well.

    Args:
        endpoint: URL of the collector; ``/v1/logs`` is appended if it is missing. Default: ``OTEL_LOGS_ENDPOINT``.
        headers: Headers of each request, for example an API key.
        service: Name of this service. Default: ``OTEL_SERVICE_NAME``, or ``tilebox_celery.workflows-<pid>``.
        level: Least level that is sent. Default: INFO.
        export_interval: How long messages may wait to be sent together, for example ``"30s"`` or ``"2h13m"``.
            Default: ``OTEL_EXPORT_INTERVAL``, or else 5 seconds.
        reconfigure: Replace all endpoints configured before.

    Raises:
        ArgumentError: The endpoint is missing or no HTTP URL, or the interval is no duration; it is a ValueError.
        ImportError: OpenTelemetry is not installed.
    """
    found = find_destination("logs", endpoint, headers)
    _configure(found, service, level, interval=export_interval, reconfigure=reconfigure)


def configure_otel_logging_axiom(
    dataset: str | None = None,
    api_key: str | None = None,
    service: str | None = None,
    level: int | str | None = None,
    *,
    export_interval: timedelta | str | None = None,
    reconfigure: bool = False,
    endpoint: str = AXIOM,
) -> None:
    """Send log messages to Axiom.

    Args:
        dataset: Axiom dataset. Default: ``AXIOM_LOGS_DATASET``.
        api_key: Axiom API key. Default: ``AXIOM_API_KEY``.
        service: Name of this service. Default: ``OTEL_SERVICE_NAME``, or ``tilebox_celery.workflows-<pid>``.
        level: Least level that is sent. Default: INFO.
        export_interval: How long messages may wait to be sent together. Default: ``OTEL_EXPORT_INTERVAL``, or 5 s.
        reconfigure: Replace all endpoints configured before.
        endpoint: Axiom's address, for accounts in another region.

    Raises:
        ArgumentError: The dataset or API key is missing; the message names the variable. It is a ValueError.
        ImportError: OpenTelemetry is not installed.
    """
    found = find_axiom("logs", dataset, api_key, endpoint)
    _configure(found, service, level, interval=export_interval, reconfigure=reconfigure)


def get_logger(name: str | None = None, level: int | str = logging.NOTSET) -> logging.Logger:
    """Return a logger whose messages go where they were configured to go.

    Args:
        name: Added to the namespace ``tilebox_celery.workflows``; None is the namespace itself.
        level: Least level of this logger; NOTSET leaves it to the configuration.

    Example:
        >>> get_logger("mosaic").name
        'tilebox_celery.workflows.mosaic'
    """
    logger = logging.getLogger(f"{NAMESPACE}.{name}" if name else NAMESPACE)
    if level != logging.NOTSET:
        logger.setLevel(level)
    return logger


def log_task_failure(logger: logging.Logger, class_name: str, error: BaseException) -> None:
    """Log that a task failed, with the traceback from the first line of the user's code.

    Example:
        >>> log_task_failure(get_logger(), "PrintMovieStats", KeyError("Title"))  # doctest: +SKIP
        2026-11-22 10:00:00.000Z ERROR Task PrintMovieStats failed with exception: KeyError('Title')
    """
    logger.error(
        "Task %s failed with exception: %s",
        class_name,
        show(error),
        exc_info=(type(error), error, _skip_own_frames(error.__traceback__)),
        stacklevel=2,
    )


def add_handler(handler: logging.Handler) -> None:
    """Add one of our handlers, and let the loggers pass what any of ours wants to have."""
    _package.addHandler(handler)
    _ours.append(handler)
    _apply_levels()


def replace_handler(handler: logging.Handler) -> None:
    """Add one of our handlers in place of those of its kind."""
    for previous in [previous for previous in _ours if type(previous) is type(handler)]:
        remove_handler(previous)
    add_handler(handler)


def remove_handler(handler: logging.Handler) -> None:
    """Remove one of our handlers and send what it has queued."""
    _package.removeHandler(handler)
    _ours.remove(handler)
    _apply_levels()
    handler.close()


def _apply_levels() -> None:
    if _package.level == logging.NOTSET:
        _package.setLevel(logging.WARNING)
    _workflows.setLevel(min((handler.level for handler in _ours), default=logging.NOTSET))


def _configure(
    destination: Destination,
    service: str | None,
    level: int | str | None,
    *,
    interval: timedelta | str | None,
    reconfigure: bool,
) -> None:
    seconds = find_interval(interval)
    require_otel()
    from tilebox_celery.observability.handlers import OtlpHandler

    present = [handler for handler in _ours if isinstance(handler, OtlpHandler)]
    if not reconfigure and destination in [handler.destination for handler in present]:
        return
    if reconfigure:
        for handler in present:
            remove_handler(handler)
    add_handler(OtlpHandler(destination, describe_service(service), seconds, logging.INFO if level is None else level))


def _skip_own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Return the traceback from the first frame outside this package, or all of it if there is none."""
    outside = frames
    while outside and outside.tb_frame.f_code.co_filename.startswith(_PACKAGE_FOLDER):
        outside = outside.tb_next
    return outside or frames
