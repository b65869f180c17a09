"""What an OpenTelemetry collector receives of the spans of jobs and tasks."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tilebox_celery.observability import tracing

HEAD = """
import logging, os, random, sys
from tilebox_celery.observability.context_logger import ContextLogger, ContextTracer
from tilebox_celery.observability.export import flush
from tilebox_celery.observability.logging import get_logger, configure_console_logging
from tilebox_celery.observability.tracing import *
"""
CONFIGURED = HEAD + "configure_otel_tracing(export_interval='50ms')\n"
ERROR = 2


@pytest.mark.clause("1.10-12")
def test_a_job_is_a_trace_and_its_tasks_are_spans(run: Callable, collector: Any) -> None:
    """Submitting makes the span job/<name>; the spans of its tasks are below it and show their input."""
    done = run(
        CONFIGURED
        + """
traceparent = start_job_span("mosaic of \\x1b[31m Vienna")
with task_span("Tile", traceparent, b'{"x": 1}', {"task.id": "t1"}):
    pass
with job_span("cancel_job", traceparent):
    pass
print(traceparent)
"""
    )

    collector.wait_for(3)
    job, task, cancel = (
        collector.named(name) for name in ("job/mosaic of \\x1b[31m Vienna", "task/Tile", "cancel_job")
    )
    assert job.path == "/v1/traces"
    assert job.resource["service.name"].startswith("tilebox_celery.workflows-")
    assert done.stdout == f"00-{job.item.trace_id.hex()}-{job.item.span_id.hex()}-01\n"
    assert task.item.trace_id == cancel.item.trace_id == job.item.trace_id
    assert task.item.parent_span_id == cancel.item.parent_span_id == job.item.span_id
    assert job.item.parent_span_id == b""
    assert task.attributes == {"task.input": '{"x": 1}', "task.id": "t1"}
    assert task.item.status.code == 0
    assert done.stderr == ""


@pytest.mark.clause("1.10-12")
@pytest.mark.parametrize("error", ["KeyError('Title')", "SystemExit(1)", "KeyboardInterrupt()"])
def test_a_failed_task_is_a_failed_span(run: Callable, collector: Any, error: str) -> None:
    """An exception that leaves a task marks its span as failed, is recorded with its traceback, and goes on."""
    done = run(
        CONFIGURED
        + f"""
def execute():
    with ContextTracer().span("part"):
        raise {error}
try:
    with task_span("Tile", start_job_span("job")):
        execute()
except BaseException as error:
    print(repr(error))
"""
    )

    collector.wait_for(3)
    for name in ("task/Tile", "part"):
        span = collector.named(name)
        ((event, attributes),) = span.events
        assert (span.item.status.code, span.item.status.message) == (ERROR, error)
        assert event == "exception"
        assert attributes["exception.type"] == error.partition("(")[0]
        assert "in execute" in attributes["exception.stacktrace"]
    assert done.stdout == error + "\n"


@pytest.mark.clause("1.10-7")
def test_log_messages_become_events_of_the_tasks_span(run: Callable, collector: Any) -> None:
    """What a task logs is an event log.message of its innermost span, with message, level and attributes."""
    run(
        CONFIGURED
        + """
logger, tracer = ContextLogger({"task.id": "t"}), ContextTracer()
get_logger().info("outside")
with task_span("Tile", start_job_span("job")):
    get_logger("mine").info("one %s", 1)
    get_logger().debug("too low")
    with tracer.span("part", tile="T33", big=2**70) as span:
        span.set_attribute("more", True)
        assert tracer.current_span() is span
        logger.warning("two \\ud800", rest=[None])
"""
    )

    collector.wait_for(3)
    task, part = collector.named("task/Tile"), collector.named("part")
    assert task.events == [("log.message", {"message": "one 1", "level": "INFO"})]
    assert part.events == [("log.message", {"message": "two \\ud800", "level": "WARNING", "rest": "[None]"})]
    assert part.attributes == {"tile": "T33", "big": str(2**70), "more": True}
    assert part.item.parent_span_id == task.item.span_id


@pytest.mark.clause("1.10-12")
@pytest.mark.parametrize(
    ("redact", "shown"),
    [
        ("None", {"task.input": '{"token": "s3cret"}'}),
        ("lambda text: text.replace('s3cret', '***')", {"task.input": '{"token": "***"}'}),
        ("lambda text: None", {}),
        ("lambda text: 1 / 0", {"task.input": "<redact_input raised ZeroDivisionError>"}),
    ],
)
def test_the_input_can_be_redacted(run: Callable, collector: Any, redact: str, shown: dict[str, str]) -> None:
    """redact_input changes or removes the input of a task, and if it fails, the input is not shown."""
    run(
        HEAD
        + f"""
configure_otel_tracing(redact_input={redact})
with task_span("Tile", None, b'{{"token": "s3cret"}}'):
    pass
"""
    )

    (task,) = collector.wait_for(1)
    assert task.attributes == shown


def test_a_huge_or_binary_input_is_cut(run: Callable, collector: Any) -> None:
    """Inputs of a megabyte and inputs that are no text are shown as far as is useful."""
    run(
        CONFIGURED
        + """
with task_span("Big", None, b"x" * 1_000_000), task_span("Binary", None, b"\\xff\\x00\\x1b"):
    pass
"""
    )

    collector.wait_for(2)
    assert collector.named("task/Big").attributes["task.input"].endswith("xxx... (991808 more characters)")
    assert collector.named("task/Binary").attributes["task.input"] == "\ufffd\\x00\\x1b"


@pytest.mark.clause("1.10-13")
def test_without_tracing_jobs_still_have_a_traceparent() -> None:
    """Each job gets a valid sampled traceparent of its own, so that runners which trace can start from it."""
    made = {tracing.start_job_span("job") for _ in range(1000)}

    assert len(made) == 1000
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", traceparent) for traceparent in made)


def test_without_tracing_spans_are_one_shared_nothing() -> None:
    """Spans that nobody wants are the same object each time, and pass errors on."""
    first, second = tracing.task_span("Tile", None, b""), tracing.job_span("retry_job", None)

    with pytest.raises(KeyError), first, first:
        raise KeyError

    assert first is second


def test_an_invalid_traceparent_starts_a_trace(run: Callable, collector: Any) -> None:
    """A task whose job has no usable traceparent is traced on its own, whatever span is open around it."""
    run(
        CONFIGURED
        + """
with ContextTracer().span("around"):
    for traceparent in (None, "", "garbage", "00-" + "0" * 32 + "-" + "1" * 16 + "-01"):
        with task_span("Tile", traceparent):
            pass
"""
    )

    spans = [span for span in collector.wait_for(5) if span.item.name == "task/Tile"]
    assert [span.item.parent_span_id for span in spans] == [b""] * 4
    assert len({span.item.trace_id for span in spans}) == 4


@pytest.mark.clause("1.10-10")
def test_children_that_end_right_after_a_task_lose_no_span(run: Callable, collector: Any) -> None:
    """Pool children that run one task, flush and are gone deliver every span, below one job, with distinct ids."""
    done = run(
        HEAD
        + """
configure_otel_tracing(export_interval="1h")
traceparent = start_job_span("job")
for number in range(10):
    child = os.fork()
    if child == 0:
        random.seed(42)
        with task_span(f"Tile{number}", traceparent):
            get_logger().info("in child")
        os._exit(0 if flush(10) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    )

    collector.wait_for(11)
    tasks = [collector.named(f"task/Tile{number}") for number in range(10)]
    assert done.returncode == 0
    assert {task.item.parent_span_id for task in tasks} == {collector.named("job/job").item.span_id}
    assert len({task.item.span_id for task in tasks}) == 10
    assert len({task.port for task in tasks}) == 10
    assert len(collector.received) == 11


def test_seeding_random_does_not_repeat_ids(run: Callable, collector: Any) -> None:
    """Tasks that seed Python's random module still get spans and traces of their own."""
    run(
        CONFIGURED
        + """
for _ in range(3):
    random.seed(42)
    with task_span("Tile", start_job_span("job")):
        pass
"""
    )

    spans = collector.wait_for(6)
    assert len({span.item.span_id for span in spans}) == 6
    assert len({span.item.trace_id for span in spans}) == 3


def test_a_job_is_linked_to_the_span_that_submitted_it(run: Callable, collector: Any) -> None:
    """A job submitted within a span has its own trace, and a link to that span."""
    run(
        CONFIGURED
        + """
with task_span("Submitter", None):
    start_job_span("job")
"""
    )

    collector.wait_for(2)
    job, submitter = collector.named("job/job"), collector.named("task/Submitter")
    assert job.item.trace_id != submitter.item.trace_id
    assert [(link.trace_id, link.span_id) for link in job.item.links] == [
        (submitter.item.trace_id, submitter.item.span_id)
    ]


def test_instrumented_libraries_join_the_trace(run: Callable, collector: Any) -> None:
    """Spans that a library makes by the OpenTelemetry API are below the task's, also after a reconfiguration."""
    run(
        CONFIGURED
        + """
from opentelemetry import trace
library = trace.get_tracer("library")
with task_span("Tile", start_job_span("job")), library.start_as_current_span("query"):
    pass
configure_otel_tracing(export_interval="50ms", reconfigure=True)
with task_span("Tile2", None), library.start_as_current_span("query2"):
    pass
"""
    )

    collector.wait_for(5)
    assert collector.named("query").item.parent_span_id == collector.named("task/Tile").item.span_id
    assert collector.named("query2").item.parent_span_id == collector.named("task/Tile2").item.span_id
    assert collector.named("query").scope == "library"


def test_a_provider_of_the_users_own_stays(run: Callable, collector: Any) -> None:
    """A program that has its own OpenTelemetry set-up keeps it."""
    done = run(
        HEAD
        + """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
mine = TracerProvider(shutdown_on_exit=False)
trace.set_tracer_provider(mine)
configure_otel_tracing()
with task_span("Tile", None):
    pass
print(trace.get_tracer_provider() is mine)
"""
    )

    collector.wait_for(1)
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.clause("1.10-2")
@pytest.mark.clause("1.10-9")
def test_endpoints_of_traces_are_configured_like_those_of_logs(run: Callable, start_collector: Callable) -> None:
    """Arguments, Axiom, another endpoint and reconfigure work for traces as for logs."""
    first, second, third = start_collector(), start_collector(), start_collector()

    run(
        HEAD
        + f"""
configure_otel_tracing({first.url!r}, {{"x-key": "k"}}, service="mosaics", export_interval="2h13m")
configure_otel_tracing({first.url!r}, {{"x-key": "k"}})
configure_otel_tracing_axiom("tiles", "xaat-1", endpoint={second.url!r})
with task_span("One", None):
    pass
configure_otel_tracing({third.url!r}, service="others", reconfigure=True)
with task_span("Two", None):
    pass
"""
    )

    (one,) = first.wait_for(1)
    (axiom,) = second.wait_for(1)
    (two,) = third.wait_for(1)
    assert (one.headers["x-key"], one.resource["service.name"]) == ("k", "mosaics")
    assert (axiom.headers["Authorization"], axiom.headers["X-Axiom-Dataset"]) == ("Bearer xaat-1", "tiles")
    assert (two.item.name, two.resource["service.name"]) == ("task/Two", "others")
    assert len(first.received) == len(second.received) == 1


@pytest.mark.clause("1.10-6")
@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            tracing.configure_otel_tracing,
            "No endpoint for OpenTelemetry traces: pass endpoint='http://host:4318', or set OTEL_TRACES_ENDPOINT.",
        ),
        (
            tracing.configure_otel_tracing_axiom,
            "No Axiom dataset for traces: pass dataset=..., or set AXIOM_TRACES_DATASET.",
        ),
        (
            lambda: tracing.configure_otel_tracing_axiom("d"),
            "No Axiom API key for traces: pass api_key=..., or set AXIOM_API_KEY.",
        ),
    ],
)
def test_a_missing_setting_is_one_sentence(call: Callable, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is a ValueError that names the argument and the variable."""
    for variable in ("OTEL_TRACES_ENDPOINT", "AXIOM_TRACES_DATASET", "AXIOM_API_KEY"):
        monkeypatch.delenv(variable, raising=False)

    with pytest.raises(ValueError) as missing:
        call()

    assert str(missing.value) == sentence


def test_logs_and_spans_share_ids(run: Callable, collector: Any) -> None:
    """A log record that is sent from within a task carries the trace and span ids of the task."""
    run(
        CONFIGURED
        + """
from tilebox_celery.observability.logging import configure_otel_logging
configure_otel_logging()
with task_span("Tile", start_job_span("job")):
    get_logger().info("inside")
"""
    )

    received = collector.wait_for(3)
    (record,) = [item for item in received if item.path == "/v1/logs"]
    task = collector.named("task/Tile")
    assert (record.item.trace_id, record.item.span_id) == (task.item.trace_id, task.item.span_id)
