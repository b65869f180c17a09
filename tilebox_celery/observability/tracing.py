"""Configure where traces go, and make the spans of jobs and tasks."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from tilebox_celery.observability.destination import (
    AXIOM,
    Destination,
    describe_service,
    find_axiom,
    find_destination,
    find_interval,
    require_otel,
)
from tilebox_celery.observability.logging import replace_handler
from tilebox_celery.observability.traceparent import new_traceparent

if TYPE_CHECKING:
    from tilebox_celery.observability.spans import Tracing

Redact = Callable[[str], str | None]

_tracing: "Tracing | None" = None
_nothing = nullcontext()


def configure_otel_tracing(
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    service: str | None = None,
    level: int | str | None = None,
    *,
    export_interval: timedelta | str | None = None,
    reconfigure: bool = False,
    redact_input: Redact | None = None,
) -> None:
    """Send the spans of jobs and tasks to an OpenTelemetry collector, by OTLP over HTTP.

    Calling it again for the same endpoint changes nothing; another endpoint gets the spans as well. If the program has
    no OpenTelemetry tracer provider of its own, instrumented libraries report into the same traces.

    Args:
        endpoint: URL of the collector; ``/v1/traces`` is appended if it is missing. Default: ``OTEL_TRACES_ENDPOINT``.
        headers: Headers of each request, for example an API key.
        service: Name of this service; that of the first call counts, until `reconfigure`.
            Default: ``OTEL_SERVICE_NAME``, or ``tilebox_celery.workflows-<pid>``.
        level: Least level of log messages that become events of the spans. Default: INFO.
        export_interval: How long spans may wait to be sent together, for example ``"30s"`` or ``"2h13m"``.
            Default: ``OTEL_EXPORT_INTERVAL``, or else 5 seconds.
        reconfigure: Replace all endpoints configured before.
        redact_input: Changes the text of the attribute ``task.input``, or leaves it out by returning None.

    Raises:
        ArgumentError: The endpoint is missing or no HTTP URL, or the interval is no duration; it is a ValueError.
        ImportError: OpenTelemetry is not installed.
    """
    found = find_destination("traces", endpoint, headers)
    _configure(found, service, level, interval=export_interval, reconfigure=reconfigure, redact_input=redact_input)


def configure_otel_tracing_axiom(
    dataset: str | None = None,
    api_key: str | None = None,
    service: str | None = None,
    level: int | str | None = None,
    *,
    export_interval: timedelta | str | None = None,
    reconfigure: bool = False,
    redact_input: Redact | None = None,
    endpoint: str = AXIOM,
) -> None:
    """Send the spans of jobs and tasks to Axiom.

    Args:
        dataset: Axiom dataset. Default: ``AXIOM_TRACES_DATASET``.
        api_key: Axiom API key. Default: ``AXIOM_API_KEY``.
        service: Name of this service; that of the first call counts, until `reconfigure`.
            Default: ``OTEL_SERVICE_NAME``, or ``tilebox_celery.workflows-<pid>``.
        level: Least level of log messages that become events of the spans. Default: INFO.
        export_interval: How long spans may wait to be sent together. Default: ``OTEL_EXPORT_INTERVAL``, or 5 seconds.
        reconfigure: Replace all endpoints configured before.
        redact_input: Changes the text of the attribute ``task.input``, or leaves it out by returning None.
        endpoint: Axiom's address, for accounts in another region.

    Raises:
        ArgumentError: The dataset or API key is missing; the message names the variable. It is a ValueError.
        ImportError: OpenTelemetry is not installed.
    """
    found = find_axiom("traces", dataset, api_key, endpoint)
    _configure(found, service, level, interval=export_interval, reconfigure=reconfigure, redact_input=redact_input)


def start_job_span(name: str) -> str:
    """Record that a job was submitted, as the first span of a trace of its own.

    Args:
        name: Name of the job.

    Returns:
        The W3C traceparent under which the job's tasks belong; a valid one also if no tracing is configured, since
        the runners may have it.

    Example:
        >>> len(start_job_span("my-job"))
        55
    """
    return new_traceparent() if _tracing is None else _tracing.start_job(name)


def job_span(action: str, traceparent: str | None) -> AbstractContextManager[object]:
    """Record what is done to a job, for example ``retry_job`` or ``cancel_job``, in its trace.

    Example:
        >>> with job_span("cancel_job", start_job_span("my-job")):
        ...     pass
    """
    return _nothing if _tracing is None else _tracing.remote_span(action, traceparent, {})


def task_span(
    class_name: str,
    traceparent: str | None,
    task_input: bytes | str | None = None,
    attributes: Mapping[str, object] | None = None,
) -> AbstractContextManager[object]:
    """Record one execution of a task; an exception that leaves the block marks the span as failed.

    Args:
        class_name: Name of the task class.
        traceparent: That of the job.
        task_input: Serialised input, shown as ``task.input``; None leaves it out.
        attributes: More attributes, for example the task id.

    Example:
        >>> with task_span("Mosaic", None):
        ...     pass
    """
    if _tracing is None:
        return _nothing
    return _tracing.task_span(class_name, traceparent, task_input, attributes or {})


def current() -> "Tracing | None":
    """Return what is configured, or None."""
    return _tracing


def _configure(
    destination: Destination,
    service: str | None,
    level: int | str | None,
    *,
    interval: timedelta | str | None,
    reconfigure: bool,
    redact_input: Redact | None,
) -> None:
    global _tracing
    seconds = find_interval(interval)
    require_otel()
    from tilebox_celery.observability.handlers import SpanEventHandler
    from tilebox_celery.observability.spans import QUEUE, Tracing

    if _tracing is None or reconfigure:
        QUEUE.clear()
        _tracing = Tracing(describe_service(service), redact_input)
        replace_handler(SpanEventHandler(logging.INFO if level is None else level))
    QUEUE.add(destination, seconds)
