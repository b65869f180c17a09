"""The logger and tracer of the execution context."""

import logging
from collections.abc import Callable

import pytest

from tilebox_celery.observability.context_logger import NO_SPAN, ContextLogger, ContextTracer
from tilebox_celery.observability.logging import NAMESPACE


@pytest.mark.clause("1.10-11")
def test_attributes_are_kept_apart_from_the_message(caplog: pytest.LogCaptureFixture) -> None:
    """Attributes of a call and those bound before go with the record, the later winning, and no format sees them."""
    caplog.set_level(logging.DEBUG, NAMESPACE)
    logger = ContextLogger({"task.id": "t1"})
    tile = logger.bind(tile="T33", step=1)

    tile.bind(more=True).info("100% %s done", step=2)
    logger.debug("%s of %d", "one", 2)

    first, second = caplog.records
    assert first.getMessage() == "100% %s done"
    assert first.attributes == {"tile": "T33", "step": 2, "more": True}
    assert first.identity == second.identity == {"task.id": "t1"}
    assert second.getMessage() == "one of 2"
    assert second.attributes == {}
    assert first.funcName == "test_attributes_are_kept_apart_from_the_message"


@pytest.mark.clause("1.10-11")
def test_every_level_has_a_method(caplog: pytest.LogCaptureFixture) -> None:
    """There is a method for each level, and exception() takes the error that is being handled."""
    caplog.set_level(logging.DEBUG, NAMESPACE)
    logger = ContextLogger()
    error = KeyError("Title")

    for method in ("debug", "info", "warning", "error", "critical"):
        getattr(logger, method)(method)
    try:
        raise error
    except KeyError:
        logger.exception("failed", key="Title")
    logger.info("with another", exc_info=error)

    assert [record.levelname.lower() for record in caplog.records[:5]] == [record.msg for record in caplog.records[:5]]
    assert caplog.records[5].levelname == "ERROR"
    assert caplog.records[5].attributes == {"key": "Title"}
    assert [record.exc_info[1] if record.exc_info else None for record in caplog.records[4:]] == [None, error, error]


def test_values_below_the_level_are_not_looked_at() -> None:
    """A message that nobody wants costs no formatting."""

    class Loud:
        def __str__(self) -> str:
            raise AssertionError

        __repr__ = __str__

    ContextLogger().bind(loud=Loud()).debug("%s", Loud(), also=Loud())

    assert not logging.getLogger(NAMESPACE).isEnabledFor(logging.DEBUG)


@pytest.mark.clause("1.10-11")
def test_without_tracing_spans_do_nothing() -> None:
    """Code that opens spans runs unchanged, and its errors pass, when tracing is not configured."""
    tracer = ContextTracer()

    with tracer.span("outer", tile="T33") as outer, tracer.span("inner") as inner:
        for span in (outer, inner, tracer.current_span()):
            span.set_attribute("a", 1)
            span.set_attributes({"a": 1})
            span.add_event("e", {"a": 1})
            span.set_status("OK", "fine")
            span.record_exception(ValueError())
            span.update_name("x")
    with pytest.raises(ValueError, match="passes"), tracer.span("failing"):
        raise ValueError("passes")

    assert outer is inner is NO_SPAN
    assert not outer.is_recording()


def test_everything_works_without_opentelemetry(run: Callable) -> None:
    """Without the otel extra all modules import, loggers and spans work, and configuring says what to install."""
    done = run("""
        import sys
        sys.modules["opentelemetry"] = None
        from tilebox_celery.observability import logging, tracing
        from tilebox_celery.observability.context_logger import ContextLogger, ContextTracer
        from tilebox_celery.observability.export import flush
        logging.configure_console_logging()
        with tracing.task_span("Tile", tracing.start_job_span("job")), ContextTracer().span("part"):
            ContextLogger().info("works")
        assert flush()
        for configure in (logging.configure_otel_logging, tracing.configure_otel_tracing):
            try:
                configure()
            except ImportError as error:
                print(error)
    """)

    first, *rest = done.stdout.splitlines()
    assert first.endswith("INFO works")
    assert (
        rest
        == ['OpenTelemetry is not installed: run pip install "tilebox-celery[otel]" to export logs and traces.'] * 2
    )
    assert done.stderr == ""
