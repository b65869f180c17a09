"""Which spans are sent: what the sampler of a trace decided holds for all that belongs to it."""

from collections.abc import Callable
from typing import Any

HEAD = """
import logging, os, random, sys
from tilebox_celery.observability.context_logger import ContextLogger, ContextTracer
from tilebox_celery.observability.export import flush
from tilebox_celery.observability.logging import get_logger, configure_console_logging
from tilebox_celery.observability.tracing import *
"""
CONFIGURED = HEAD + "configure_otel_tracing(export_interval='50ms')\n"
ERROR = 2


def test_children_keep_the_flag_of_their_trace(run: Callable, collector: Any) -> None:
    """The spans below an unsampled parent are not sampled and not sent; those below a sampled one are."""
    done = run(
        HEAD
        + """
from opentelemetry import trace

configure_otel_tracing()
for flag in ("00", "01"):
    with task_span("Task" + flag, f"00-{'a' * 31}{flag[1]}-{'b' * 16}-{flag}"):
        with ContextTracer().span("part" + flag):
            context = trace.get_current_span().get_span_context()
            print(f"{context.trace_id:032x}"[-2:], int(context.trace_flags))
"""
    )

    collector.wait_for(2)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a0 0\na1 1\n", "")
    assert {item.item.name for item in collector.received} == {"task/Task01", "part01"}


def test_recorded_spans_that_are_not_sampled_are_not_sent(run: Callable, collector: Any) -> None:
    """A sampler may have spans recorded for others to look at: without the sampled flag they are not sent."""
    done = run(
        HEAD
        + """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from tilebox_celery.observability.spans import QUEUE

class RecordPart(Sampler):
    def should_sample(self, parent, trace_id, name, *others, **more):
        return SamplingResult(Decision.RECORD_ONLY if name == "part" else Decision.RECORD_AND_SAMPLE)

    def get_description(self):
        return "records what is called part"

configure_otel_tracing()
provider = TracerProvider(sampler=RecordPart())
provider.add_span_processor(QUEUE)
for name in ("part", "whole"):
    span = provider.get_tracer("test").start_span(name)
    assert span.is_recording()
    span.end()
"""
    )

    collector.wait_for(1)
    assert (done.returncode, done.stderr) == (0, "")
    assert [item.item.name for item in collector.received] == ["whole"]


def test_an_unsampled_job_sends_no_spans(run: Callable, collector: Any) -> None:
    """If the submitter decided not to sample, its tasks are not sent either."""
    done = run(
        HEAD
        + """
configure_otel_tracing()
traceparent = start_job_span("job")
assert traceparent.endswith("-00"), traceparent
with task_span("Tile", traceparent):
    pass
""",
        OTEL_TRACES_SAMPLER="always_off",
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert collector.requests == 0
