"""Make OpenTelemetry spans for jobs and tasks, and queue them for the collectors."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from tilebox_celery.observability.destination import Destination
from tilebox_celery.observability.export import Batch
from tilebox_celery.observability.otlp import connect_spans, describe_error, load
from tilebox_celery.observability.text import plain, sendable, show
from tilebox_celery.observability.traceparent import format_traceparent, parse_traceparent

MAX_INPUT = 8_192
"""Characters of the attribute ``task.input``."""

Redact = Callable[[str], str | None]


class SystemIds(IdGenerator):
    """Draw ids from the system: tasks that call ``random.seed`` would get the same ones again and again."""

    def generate_span_id(self) -> int:
        """Return a new span id."""
        return int.from_bytes(os.urandom(8), "big") or 1

    def generate_trace_id(self) -> int:
        """Return a new trace id."""
        return int.from_bytes(os.urandom(16), "big") or 1


class SpanQueue(SpanProcessor):
    """Hand each finished span to the batch of every destination."""

    def __init__(self) -> None:
        """Start without a destination."""
        self.batches: dict[Destination, Batch[ReadableSpan]] = {}

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a finished span."""
        if span.context and span.context.trace_flags.sampled:
            for batch in self.batches.values():
                batch.put(span)

    def add(self, destination: Destination, interval: float) -> None:
        """Send spans to one more destination."""
        if destination not in self.batches:
            load()
            batch: Batch[ReadableSpan] = Batch(str(destination), lambda: connect_spans(destination), interval)
            self.batches = {**self.batches, destination: batch}

    def clear(self) -> None:
        """Send what is queued and forget all destinations."""
        batches, self.batches = self.batches, {}
        for batch in batches.values():
            batch.close(timeout=2)


QUEUE = SpanQueue()
"""One for all providers: libraries keep the provider that they found first, also after a reconfiguration."""


class Tracing:
    """The spans of one configured service."""

    def __init__(self, service: Mapping[str, str], redact_input: Redact | None) -> None:
        """Make the provider, which is also the program's if it has none."""
        self._redact_input = redact_input
        # Our own exit handler flushes; the provider's would wait for a collector that is away.
        provider = TracerProvider(
            resource=Resource.create(dict(service)), id_generator=SystemIds(), shutdown_on_exit=False
        )
        provider.add_span_processor(QUEUE)
        self._tracer = provider.get_tracer("tilebox_celery", version("tilebox-celery"))
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(provider)

    def start_job(self, name: str) -> str:
        """Record a job as the root of a new trace, linked to the span that submitted it, and return its traceparent."""
        submitter = trace.get_current_span().get_span_context()
        links = [Link(submitter)] if submitter.is_valid else []
        span = self._tracer.start_span(f"job/{sendable(name, 256)}", context=Context(), links=links)
        span.end()
        ids = span.get_span_context()
        return format_traceparent(ids.trace_id, ids.span_id, ids.trace_flags)

    @contextmanager
    def remote_span(self, name: str, traceparent: str | None, attributes: Mapping[str, object]) -> Iterator[trace.Span]:
        """Open a span below that of a job, whatever span is open here."""
        with self._open(name, attributes, _context(traceparent)) as span:
            yield span

    @contextmanager
    def task_span(
        self, class_name: str, traceparent: str | None, task_input: bytes | str | None, attributes: Mapping[str, object]
    ) -> Iterator[trace.Span]:
        """Open the span of one execution of a task."""
        if (text := self._show_input(task_input)) is not None:
            attributes = {**attributes, "task.input": text}
        with self._open(f"task/{class_name}", attributes, _context(traceparent)) as span:
            yield span

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, object]) -> Iterator[trace.Span]:
        """Open a span below the current one."""
        with self._open(name, attributes, None) as span:
            yield span

    def current_span(self) -> trace.Span:
        """Return the innermost open span."""
        return trace.get_current_span()

    @contextmanager
    def _open(self, name: str, attributes: Mapping[str, object], context: Context | None) -> Iterator[trace.Span]:
        with self._tracer.start_as_current_span(
            sendable(name, 256),
            context,
            attributes={sendable(key): plain(value) for key, value in attributes.items()},
            record_exception=False,  # ours: theirs fails on an error whose str() fails, or which cannot be encoded
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.add_event("exception", describe_error(error, error.__traceback__))
                span.set_status(Status(StatusCode.ERROR, sendable(show(error), 1024)))
                raise

    def _show_input(self, task_input: bytes | str | None) -> str | None:
        if task_input is None:
            return None
        text = task_input if isinstance(task_input, str) else task_input.decode(errors="replace")
        if self._redact_input is None:
            return sendable(text, MAX_INPUT)
        try:
            redacted = self._redact_input(text)
        except Exception as error:  # a failing redaction must neither fail the task nor show the input
            redacted = f"<redact_input raised {type(error).__name__}>"
        return None if redacted is None else sendable(redacted, MAX_INPUT)


def _context(traceparent: str | None) -> Context:
    """Return a context that holds the remote span and nothing of this process."""
    ids = parse_traceparent(traceparent)
    if ids is None:
        return Context()
    parent = SpanContext(ids.trace_id, ids.span_id, is_remote=True, trace_flags=TraceFlags(ids.flags))
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())
