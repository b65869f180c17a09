"""Speak OTLP over HTTP: how a chunk of log records or spans is written and posted."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from tilebox_celery.observability.destination import Destination
from tilebox_celery.observability.export import CannotSend
from tilebox_celery.observability.text import format_error, sendable, show

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.sdk.trace import ReadableSpan

TIMEOUT = (5, 10)
"""Seconds to connect to a collector, and to wait for its answer."""

USED_BY_THREADS = (
    "encodings.idna",  # the codec of host names
    "requests",
    "opentelemetry.proto.collector.logs.v1.logs_service_pb2",
    "opentelemetry.exporter.otlp.proto.common.trace_encoder",
)
_SEVERITIES = (
    (logging.CRITICAL, 21),
    (logging.ERROR, 17),
    (logging.WARNING, 13),
    (logging.INFO, 9),
    (logging.DEBUG, 5),
)


class LogItem(NamedTuple):
    """A log record as plain values, taken when it was logged and encoded when it is sent."""

    logger: str
    nanoseconds: int
    level: int
    level_name: str
    message: str
    attributes: dict[str, str | int | float]
    trace_id: int
    span_id: int
    flags: int


def load() -> None:
    """Import what the sending threads use, before they start.

    A process that is forked while another thread imports a module waits for that import for ever.
    """
    with suppress(ImportError):  # the thread tells what is missing
        for module in USED_BY_THREADS:
            import_module(module)


def connect_logs(destination: Destination, service: Mapping[str, str]) -> Callable[[list[LogItem]], None]:
    """Open what sends chunks of log records."""
    post = _connect(destination)
    return lambda items: post(encode_logs(items, service))


def connect_spans(destination: Destination) -> Callable[[list["ReadableSpan"]], None]:
    """Open what sends chunks of spans."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    post = _connect(destination)
    return lambda spans: post(encode_spans(spans).SerializeToString())


def encode_logs(items: list[LogItem], service: Mapping[str, str]) -> bytes:
    """Write log records as an OTLP request.

    The protobuf classes are used directly, because the logs part of the Python SDK is still being renamed.
    """
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    resource_logs.resource.attributes.extend(_attribute(name, value) for name, value in service.items())
    for logger in sorted({item.logger for item in items}):
        scope_logs = resource_logs.scope_logs.add()
        scope_logs.scope.name = sendable(logger)
        for item in items:
            if item.logger != logger:
                continue
            record = scope_logs.log_records.add(
                time_unix_nano=item.nanoseconds,
                observed_time_unix_nano=item.nanoseconds,
                severity_number=next((number for level, number in _SEVERITIES if item.level >= level), 1),
                severity_text=item.level_name,
            )
            record.body.string_value = item.message
            record.attributes.extend(_attribute(name, value) for name, value in item.attributes.items())
            if item.trace_id:
                record.trace_id = item.trace_id.to_bytes(16, "big")
                record.span_id = item.span_id.to_bytes(8, "big")
                record.flags = item.flags
    encoded: bytes = request.SerializeToString()
    return encoded


def describe_error(error: BaseException, frames: TracebackType | None) -> dict[str, str]:
    """Return the attributes by which OpenTelemetry knows an exception."""
    try:
        message = str(error)
    except BaseException:  # a user's __str__ may raise anything
        message = show(error)
    return {
        "exception.type": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "exception.message": sendable(message),
        "exception.stacktrace": sendable(format_error(error, frames)),
    }


def _attribute(name: str, value: str | float) -> "KeyValue":
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    match value:
        case bool():
            any_value = AnyValue(bool_value=value)
        case int():
            any_value = AnyValue(int_value=value)
        case float():
            any_value = AnyValue(double_value=value)
        case _:
            any_value = AnyValue(string_value=str(value))
    return KeyValue(key=name, value=any_value)


def _connect(destination: Destination) -> Callable[[bytes], None]:
    """Open a session that posts requests and says what the collector made of them."""
    import requests
    from opentelemetry import context

    # Instrumented HTTP libraries would make spans of our own requests, and those would be sent again.
    suppress = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
    context.attach(context.set_value(suppress, True))
    session = requests.Session()
    session.auth = lambda request: request  # or a ~/.netrc would replace our Authorization header
    session.headers.update(destination.headers)
    session.headers["Content-Type"] = "application/x-protobuf"

    def post(body: bytes) -> None:
        try:
            # No redirects: they could carry the API key elsewhere.
            answer = session.post(destination.url, data=body, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            reason = type(error.__cause__ or error).__name__
            raise CannotSend(f"{reason}. Is the collector running there?", retry=True) from error
        if not answer.ok or answer.is_redirect:
            retry = answer.status_code in (408, 429, 502, 503, 504)
            raise CannotSend(f"it answered {answer.status_code} {answer.reason}.", retry=retry)

    return post
