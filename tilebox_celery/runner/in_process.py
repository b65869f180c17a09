"""Drain what is runnable now in the calling thread: a runner without broker and without Celery."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from tilebox_celery.ledger.calls import SlotCalls
from tilebox_celery.ledger.runners import drain_runner, register_runner, register_slot
from tilebox_celery.postgres.connection import connect
from tilebox_celery.runner.execution import Environment
from tilebox_celery.runner.keeper_process import KeeperProcess
from tilebox_celery.runner.outcome import Interrupted
from tilebox_celery.runner.page import Pages
from tilebox_celery.runner.reports import Reports
from tilebox_celery.runner.slot_loop import SlotLoop

if TYPE_CHECKING:
    from tilebox_celery.runner.task_runner import TaskRunner

KEEPER_AFTER = 2.0


def run_until_idle(runner: "TaskRunner") -> None:
    """Claim and run until a claim is empty.

    The first Ctrl-C ends claiming; a second one gives the running task back and raises KeyboardInterrupt. SIGTERM does
    the same, and then what it does without us: it ends the process, unless somebody handles it.

    Args:
        runner: Whose tasks, cache and settings it has.
    """
    from tilebox_celery.runner.task_runner import code_version

    settings = runner.settings
    pages = Pages(1)

    def open_connection() -> Any:
        return connect(runner.ledger_url, durable=False, name="tilebox-celery run_all")

    with open_connection() as first:
        runner_id = register_runner(
            first,
            runner.cluster,
            runner.registry.identifiers,
            name=runner.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            code_version=code_version(),
            wake_by="none",
            slots=1,
        )
        slot_id = register_slot(first, runner_id, 0, os.getpid(), settings.lease, busy=True)
        page = pages.page(0)
        page.open(slot_id)
        reports = Reports(SlotCalls(first, slot_id), open_connection, pages.is_draining)
        shared = runner.context_class() if runner.context_class is not None else None
        environment = Environment(runner.registry, settings, runner.cluster, runner.cache, shared)
        loop = SlotLoop(reports, environment, runner.publish, page)
        keeper = KeeperProcess(runner_id, runner.ledger_url, runner.broker_url, pages, settings)
        timer = threading.Timer(KEEPER_AFTER, keeper.start)  # most drains are shorter than the start of a process
        timer.daemon = True
        timer.start()
        try:
            with _two_signals(pages) as taken:
                loop.run()
        finally:
            timer.cancel()
            reports.give_back(None, None, "interrupted")
            drain_runner(reports.connection, runner_id, gone=True)
            keeper.stop()
            runner.publish.close()
            if reports.connection is not first:
                reports.connection.close()
    if signal.SIGTERM in taken:
        signal.raise_signal(signal.SIGTERM)


@contextlib.contextmanager
def _two_signals(pages: Pages) -> Iterator[list[int]]:
    """Drain by the first signal, interrupt by the second, and give those that came; the grace is the keeper's."""
    taken: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield taken
        return

    def handle(number: int, frame: FrameType | None) -> None:
        taken.append(number)
        if pages.is_draining():
            raise Interrupted
        pages.drain()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield taken
    except Interrupted:
        if taken[-1] != signal.SIGTERM:
            raise KeyboardInterrupt from None  # Python ends by the signal for this very type alone
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
