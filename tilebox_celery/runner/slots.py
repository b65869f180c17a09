"""The slots of one process: each with its connection, its page and its loop."""

import os
import threading
from collections import deque
from typing import Any

import psycopg

from tilebox_celery.caches import JobCache
from tilebox_celery.ledger.calls import NOTHING, Finished, SlotCalls
from tilebox_celery.ledger.runners import register_slot, slot_lost
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.runner.execution import Environment
from tilebox_celery.runner.page import Pages
from tilebox_celery.runner.registry import TaskRegistry
from tilebox_celery.runner.slot_loop import Publish, SlotLoop
from tilebox_celery.settings import Settings


class RunnerSpec:
    """What every process of a runner needs to make its slots; inherited by fork.

    Args:
        runner_id: From `register_runner`.
        ledger_url: ``postgresql://`` URL of the ledger.
        cluster: Slug of the cluster.
        registry: Of the runner.
        cache: Of the runner.
        context_class: Of the runner; one instance is made in each process.
        settings: Of the runner.
        pages: Shared with the keeper.
        publish: Sends wake-ups.
    """

    def __init__(
        self,
        runner_id: int,
        ledger_url: str,
        cluster: str,
        registry: TaskRegistry,
        cache: JobCache | None,
        context_class: type[Any] | None,
        settings: Settings,
        pages: Pages,
        publish: Publish,
    ) -> None:
        self.runner_id = runner_id
        self.ledger_url = ledger_url
        self.cluster = cluster
        self.registry = registry
        self.cache = cache
        self.context_class = context_class
        self.settings = settings
        self.pages = pages
        self.publish = publish

    def environment(self) -> Environment:
        """Return what tasks of one process share."""
        shared = self.context_class() if self.context_class is not None else None
        return Environment(self.registry, self.settings, self.cluster, self.cache, shared)


class ProcessSlots:
    """The slots of this process; a thread takes one for a loop and puts it back.

    Args:
        spec: Of the runner.
        numbers: The pages that are this process's.
    """

    def __init__(self, spec: RunnerSpec, numbers: range) -> None:
        self.spec = spec
        self.pid = os.getpid()
        self._environment = spec.environment()
        self._free: deque[SlotLoop] = deque()
        self._lock = threading.Lock()
        for number in numbers:
            self._free.append(self._open(number))

    def run(self, token: int | None, limit: Any = None) -> str:
        """Run the loop of a free slot until nothing is runnable; does nothing when all slots are at work."""
        with self._lock:
            if not self._free:
                return "busy"
            slot = self._free.pop()
        try:
            return slot.run(token, limit)
        except psycopg.OperationalError:
            slot.reconnect(lambda: connect(self.spec.ledger_url, durable=False, name="tilebox-celery slot"))
            raise
        finally:
            with self._lock:
                self._free.append(slot)

    def _open(self, number: int) -> SlotLoop:
        spec = self.spec
        connection = connect(spec.ledger_url, durable=False, name="tilebox-celery slot")
        before = spec.pages.read(number)
        if before.slot_id and before.pid != self.pid:  # whoever had this page was killed in mid-batch
            spec.publish(slot_lost(connection, before.slot_id, before.running, "process killed").wake_ups)
        page = spec.pages.page(number)
        slot_id = register_slot(connection, spec.runner_id, number, self.pid, spec.settings.lease, busy=False)
        page.open(slot_id)
        calls = SlotCalls(connection, slot_id)
        warm_up(calls)
        return SlotLoop(calls, self._environment, spec.publish, page)


def warm_up(calls: SlotCalls) -> None:
    """Call the hot functions once with nothing to do, so that the first job does not pay for their plans."""
    calls.claim(NOTHING)
    calls.advance(NOTHING.claim_id, Finished(), NOTHING)


def open_connection(url: str) -> Connection:
    """Open the connection of a slot."""
    return connect(url, durable=False, name="tilebox-celery slot")
