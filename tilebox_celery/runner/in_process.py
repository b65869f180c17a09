"""Drain what is runnable now in the calling thread: a runner without broker and without Celery."""

import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tilebox_celery.ledger.calls import SlotCalls, WakeUp
from tilebox_celery.ledger.runners import drain_runner, register_runner, register_slot
from tilebox_celery.postgres.connection import connect
from tilebox_celery.runner.execution import Environment
from tilebox_celery.runner.page import Pages
from tilebox_celery.runner.slot_loop import SlotLoop

if TYPE_CHECKING:
    from tilebox_celery.runner.task_runner import TaskRunner


def run_until_idle(runner: "TaskRunner") -> None:
    """Claim and run until a claim is empty."""
    from tilebox_celery.runner.task_runner import code_version

    settings = runner.settings
    with connect(runner.ledger_url, durable=False, name="tilebox-celery run_all") as connection:
        runner_id = register_runner(
            connection,
            runner.cluster,
            runner.registry.identifiers,
            name=runner.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            code_version=code_version(),
            wake_by="none",
            slots=1,
        )
        try:
            slot_id = register_slot(connection, runner_id, 0, os.getpid(), settings.lease, busy=True)
            environment = Environment(
                runner.registry,
                settings,
                runner.cluster,
                runner.cache,
                runner.context_class() if runner.context_class is not None else None,
            )
            page = Pages(1).page(0)
            page.open(slot_id)
            SlotLoop(SlotCalls(connection, slot_id), environment, _publish, page).run()
        finally:
            drain_runner(connection, runner_id, gone=True)


def _publish(wake_ups: Sequence[WakeUp]) -> None:
    """Leave messages to the sweep for now."""
