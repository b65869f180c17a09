"""What an OpenTelemetry collector receives of the log messages."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tilebox_celery.observability.logging import configure_otel_logging, configure_otel_logging_axiom

HEAD = """
import logging, os, sys, time
from tilebox_celery.observability.export import flush
from tilebox_celery.observability.logging import *
from tilebox_celery.observability.context_logger import ContextLogger
logger = get_logger()
"""
CONFIGURED = HEAD + "configure_otel_logging(export_interval='50ms')\n"


@pytest.mark.clause("1.10-1")
def test_messages_arrive_as_records(run: Callable, collector: Any) -> None:
    """A message arrives at the endpoint of the environment with time, level, text, attributes, place and service."""
    before = time.time_ns()

    done = run(
        CONFIGURED
        + """
logger.debug("not sent")
get_logger("mosaic").info("one %s", 1)
ContextLogger({"task.id": "t1"}).bind(tile="T33").warning("two", count=2, share=0.5, ok=True, big=2**70, rest=[None])
"""
    )

    received = {item.body: item for item in collector.wait_for(2)}
    one, two = received["one 1"], received["two"]
    assert len(received) == 2
    assert one.path == "/v1/logs"
    assert one.scope == "tilebox_celery.workflows.mosaic"
    assert (one.item.severity_text, one.item.severity_number) == ("INFO", 9)
    assert before <= one.item.time_unix_nano <= time.time_ns()
    assert one.attributes["code.file.path"].endswith("script.py")
    assert one.resource["service.name"].startswith("tilebox_celery.workflows-")
    assert two.item.severity_text == "WARNING"
    assert {name: value for name, value in two.attributes.items() if not name.startswith("code.")} == {
        "task.id": "t1",
        "tile": "T33",
        "count": 2,
        "share": 0.5,
        "ok": True,
        "big": str(2**70),
        "rest": "[None]",
    }
    assert done.stderr == done.stdout == ""


@pytest.mark.clause("1.10-1")
def test_arguments_win_over_the_environment(run: Callable, collector: Any) -> None:
    """Endpoint, headers, service and level can be given, and the path is appended only where it is missing."""
    run(
        HEAD
        + f"""
configure_otel_logging({collector.url!r} + "/v1/logs/", {{"x-key": "secret"}}, service="mosaics", level="ERROR")
logger.warning("no")
logger.error("yes")
""",
        OTEL_LOGS_ENDPOINT="http://nowhere.invalid",
    )

    (item,) = collector.wait_for(1)
    assert item.path == "/v1/logs"
    assert item.headers["x-key"] == "secret"
    assert item.headers["Content-Type"] == "application/x-protobuf"
    assert item.resource["service.name"] == "mosaics"
    assert item.body == "yes"


@pytest.mark.clause("1.10-5")
def test_axiom_gets_dataset_and_key_as_headers(run: Callable, collector: Any, tmp_path: Path) -> None:
    """For Axiom the dataset and key come from the environment, and a netrc file does not replace the key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine")

    done = run(
        HEAD + f"configure_otel_logging_axiom(endpoint={collector.url!r})\nlogger.info('x')",
        AXIOM_LOGS_DATASET="tiles",
        AXIOM_API_KEY="xaat-1",
        NETRC=str(netrc),
    )

    (item,) = collector.wait_for(1)
    assert done.stderr == ""
    assert item.headers["Authorization"] == "Bearer xaat-1"
    assert item.headers["X-Axiom-Dataset"] == "tiles"


@pytest.mark.clause("1.10-6")
@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            configure_otel_logging,
            "No endpoint for OpenTelemetry logs: pass endpoint='http://host:4318', or set OTEL_LOGS_ENDPOINT.",
        ),
        (configure_otel_logging_axiom, "No Axiom dataset for logs: pass dataset=..., or set AXIOM_LOGS_DATASET."),
        (
            lambda: configure_otel_logging_axiom("d"),
            "No Axiom API key for logs: pass api_key=..., or set AXIOM_API_KEY.",
        ),
        (
            lambda: configure_otel_logging("ftp://u:pw@h/x"),
            "The OpenTelemetry endpoint ftp://u:***@h/x must be an http:// or https:// URL.",
        ),
        (
            lambda: configure_otel_logging("u:pw@localhost:4318"),
            "The OpenTelemetry endpoint u:***@localhost:4318 must be an http:// or https:// URL.",
        ),
        (
            lambda: configure_otel_logging("http://h", export_interval="5 parsecs"),
            "The export interval '5 parsecs' is no duration: write it like '5s', '500ms' or '2h13m'.",
        ),
        (
            lambda: configure_otel_logging("http://h", export_interval="0s"),
            "The export interval must be longer than zero: write it like '5s', '500ms' or '2h13m'.",
        ),
    ],
)
def test_a_missing_or_wrong_setting_is_one_sentence(
    call: Callable, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing or wrong is a ValueError that names the argument and the variable, and no password."""
    for variable in ("OTEL_LOGS_ENDPOINT", "AXIOM_LOGS_DATASET", "AXIOM_API_KEY"):
        monkeypatch.delenv(variable, raising=False)

    with pytest.raises(ValueError) as refused:
        call()

    assert str(refused.value) == sentence


@pytest.mark.clause("1.10-2")
def test_the_interval_of_the_environment_is_used(run: Callable, collector: Any) -> None:
    """Messages wait for company as long as OTEL_EXPORT_INTERVAL says; the end of the program does not wait for it."""
    run(HEAD + "configure_otel_logging()\nfor i in range(5): logger.info('x')", OTEL_EXPORT_INTERVAL="2h13m")

    collector.wait_for(5)
    assert collector.requests == 1


def test_exceptions_come_with_type_message_and_traceback(run: Callable, collector: Any) -> None:
    """A failed task is sent with the attributes by which OpenTelemetry knows an exception."""
    run(
        CONFIGURED
        + """
def execute(): raise KeyError("Title")
try:
    execute()
except KeyError as error:
    log_task_failure(logger, "PrintMovieStats", error)
"""
    )

    (item,) = collector.wait_for(1)
    assert item.body == "Task PrintMovieStats failed with exception: KeyError('Title')"
    assert item.attributes["exception.type"] == "KeyError"
    assert item.attributes["exception.message"] == "'Title'"
    assert "in execute" in item.attributes["exception.stacktrace"]


def test_no_text_can_lose_a_batch(run: Callable, collector: Any) -> None:
    """Text that cannot be encoded, in any place, is escaped, and its neighbours arrive."""
    run(
        CONFIGURED
        + """
bad = "\\ud800 \\x1b[31m"
logger.info("before")
ContextLogger({bad: bad}).bind(**{bad: bad}).info(bad)
log_task_failure(get_logger(bad), bad, ValueError(bad))
logger.info("after")
"""
    )

    bodies = [item.body for item in collector.wait_for(4)]
    assert set(bodies) == {
        "before",
        "\\ud800 \\x1b[31m",
        "Task \\ud800 \\x1b[31m failed with exception: ValueError('\\ud800 \\x1b[31m')",
        "after",
    }


@pytest.mark.clause("1.10-9")
def test_same_endpoint_once_others_as_well_and_reconfigure_replaces(run: Callable, start_collector: Callable) -> None:
    """The same call again changes nothing, another endpoint is added, and reconfigure leaves only the new one."""
    first, second, third = start_collector(), start_collector(), start_collector()

    run(
        HEAD
        + f"""
configure_otel_logging({first.url!r})
configure_otel_logging({first.url!r})
configure_otel_logging({second.url!r}, level="ERROR")
logger.info("one")
logger.error("two")
configure_otel_logging({third.url!r}, reconfigure=True)
logger.info("three")
"""
    )

    assert [item.body for item in first.wait_for(2)] == ["one", "two"]
    assert [item.body for item in second.wait_for(1)] == ["two"]
    assert [item.body for item in third.wait_for(1)] == ["three"]


def test_a_collector_that_is_away_costs_one_wait(run: Callable) -> None:
    """With no collector, logging goes on, only the first flush waits, and one warning says so without secrets."""
    done = run(
        HEAD
        + """
configure_console_logging()
configure_otel_logging("http://user:secret@127.0.0.1:9", {"x-key": "secret"}, export_interval="10ms")
logger.info("one")
flushed = flush(30)
start = time.monotonic()
for _ in range(100):
    logger.info("more")
    flush(30)
print("fast" if time.monotonic() - start < 5 else "slow", flushed)
"""
    )

    warnings = [line for line in done.stdout.splitlines() if "WARNING" in line]
    assert done.stdout.splitlines()[-1] == "fast False"
    assert len(warnings) == 1
    assert "Cannot send telemetry to http://user:***@127.0.0.1:9/v1/logs: " in warnings[0]
    assert "secret" not in done.stdout + done.stderr


def test_a_collector_that_comes_back_gets_everything_once(run: Callable, collector: Any) -> None:
    """A chunk that was answered 503 is sent again until it is taken, and then once."""
    collector.answers = [503, 429]

    done = run(
        CONFIGURED
        + """
configure_console_logging("WARNING")
logger.info("kept")
while not flush(30):
    time.sleep(0.05)
"""
    )

    assert [item.body for item in collector.received if "Cannot" not in item.body] == ["kept"]
    assert collector.requests >= 3
    assert done.stdout.count("Cannot send telemetry") == 1


def test_a_refused_key_is_not_tried_again_and_again(run: Callable, collector: Any) -> None:
    """A chunk that the collector refuses for good is dropped, with a warning that gives the answer."""
    collector.answers = [401]

    done = run(
        HEAD
        + """
configure_console_logging()
configure_otel_logging(headers={"Authorization": "Bearer secret"}, level="INFO", export_interval="1h")
logger.info("lost")
while not flush(30):
    time.sleep(0.05)
"""
    )

    assert "it answered 401 Unauthorized." in done.stdout
    assert "secret" not in done.stdout
    assert "lost" not in [item.body for item in collector.received]


def test_a_redirect_does_not_carry_the_key_elsewhere(run: Callable, start_collector: Callable) -> None:
    """A collector that redirects is refused: nothing, and no key, goes to where it points."""
    one, other = start_collector(), start_collector()
    one.answers, one.location = [307] * 10, other.url + "/v1/logs"

    run(
        HEAD
        + f"""
configure_otel_logging({one.url!r}, {{"Authorization": "Bearer secret"}})
logger.info("x")
flush(30)
"""
    )

    assert one.requests >= 1
    assert other.requests == 0


def test_a_stalled_collector_stops_nobody(run: Callable, collector: Any) -> None:
    """While a collector hangs, messages queue up to a bound, the rest is counted, and the program can end."""
    done = run(
        HEAD
        + """
import socket
listener = socket.create_server(("127.0.0.1", 0))
configure_otel_logging(f"http://127.0.0.1:{listener.getsockname()[1]}", export_interval="1ms")
from tilebox_celery.observability import export
for _ in range(export.MAX_QUEUE + 3 * export.CHUNK):
    logger.info("x")
(batch,) = export._batches
print(flush(0.1), batch.dropped > 0)
"""
    )

    assert done.stdout == "False True\n"
    assert done.returncode == 0


def test_instrumented_libraries_do_not_report_our_own_requests(run: Callable, collector: Any) -> None:
    """The requests that carry telemetry are marked, so that an instrumented HTTP library makes no spans of them."""
    done = run(
        CONFIGURED
        + """
import requests
from opentelemetry import context
seen = []
send = requests.Session.send
def watching(self, request, **options):
    seen.append(context.get_value(context._SUPPRESS_INSTRUMENTATION_KEY))
    return send(self, request, **options)
requests.Session.send = watching
logger.info("x")
flush(30)
print(seen)
"""
    )

    assert done.stdout == "[True]\n"
