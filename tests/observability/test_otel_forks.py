"""What an OpenTelemetry collector receives from processes that were forked, and what their threads may not do."""

from collections.abc import Callable
from typing import Any

import pytest

HEAD = """
import logging, os, sys, time
from tilebox_celery.observability.export import flush
from tilebox_celery.observability.logging import *
from tilebox_celery.observability.context_logger import ContextLogger
logger = get_logger()
"""
CONFIGURED = HEAD + "configure_otel_logging(export_interval='50ms')\n"


@pytest.mark.clause("1.10-10")
def test_a_forked_child_sends_its_own_messages(run: Callable, collector: Any) -> None:
    """A child sends what it logged over a connection of its own, and nothing of what its parent had queued."""
    run(
        HEAD
        + """
configure_otel_logging(export_interval="1h")
logger.info("sent before")
assert flush()
logger.info("queued in parent")
child = os.fork()
if child == 0:
    logger.info("from child")
    os._exit(0 if flush(10) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
logger.info("from parent")
assert flush()
"""
    )

    ports = {item.body: item.port for item in collector.wait_for(4)}
    assert sorted(item.body for item in collector.received) == [
        "from child",
        "from parent",
        "queued in parent",
        "sent before",
    ]
    assert ports["from child"] != ports["sent before"] == ports["from parent"]


def test_threads_that_send_import_nothing(run: Callable, collector: Any) -> None:
    """All is imported before they start: a child forked in the middle of an import would wait for it for ever."""
    done = run(
        CONFIGURED
        + """
from tilebox_celery.observability.tracing import configure_otel_tracing, start_job_span
configure_otel_tracing()
before = set(sys.modules)
logger.info("sent")
start_job_span("span")
assert flush(10)
print(sorted(set(sys.modules) - before))
"""
    )

    assert done.stdout == "[]\n"
    collector.wait_for(2)


@pytest.mark.clause("1.10-10")
def test_children_of_a_busy_parent_never_hang(run: Callable, collector: Any) -> None:
    """Children forked while threads of the parent are logging can log and flush, each time."""
    done = run(
        CONFIGURED
        + """
from threading import Thread
stop = False
def chatter():
    while not stop:
        logger.info("chatter")
        time.sleep(0.0005)
for _ in range(3):
    Thread(target=chatter).start()
try:
    for number in range(40):
        child = os.fork()
        if child == 0:
            logger.info("child %d", number)
            os._exit(0 if flush(10) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
finally:
    stop = True
"""
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert {f"child {number}" for number in range(40)} <= {item.body for item in collector.received}
