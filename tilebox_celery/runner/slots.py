"""The slots of one process: each with its connection, its page and its loop."""

import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tilebox_celery.caches import JobCache
from tilebox_celery.dispatch.event_channel import EventChannel
from tilebox_celery.ledger.calls import NOTHING, Finished, SlotCalls
from tilebox_celery.ledger.runners import register_slot, slot_lost
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.runner.bells import Bells
from tilebox_celery.runner.events import TaskEvents
from tilebox_celery.runner.execution import Environment
from tilebox_celery.runner.page import Pages
from tilebox_celery.runner.registry import TaskRegistry
from tilebox_celery.runner.reports import Reports
from tilebox_celery.runner.slot_loop import Publish, SlotLoop
from tilebox_celery.settings import Settings


@dataclass(frozen=True, slots=True)
class RunnerSpec:
    """What every process of a runner needs to make its slots; inherited by fork."""

    runner_id: int
    ledger_url: str
    cluster: str
    registry: TaskRegistry
    cache: JobCache | None
    context_class: type[Any] | None
    """One instance is made in each process."""
    settings: Settings
    pages: Pages
    """Shared with the keeper."""
    publish: Publish
    """Sends wake-ups."""
    events: EventChannel | None = None
    """For monitors; None without ``-E``."""
    bells: Bells | None = None
    """Of the children of a prefork pool."""

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

    def run(self, token: int | None, goes_on: Callable[[int], bool] | None = None) -> str:
        """Run the loop of a free slot until nothing is runnable; does nothing when all slots are at work."""
        with self._lock:
            if not self._free:
                return "busy"
            slot = self._free.pop()
        try:
            return slot.run(token, goes_on)
        finally:
            with self._lock:
                self._free.append(slot)

    def _open(self, number: int) -> SlotLoop:
        spec = self.spec
        connection = open_connection(spec.ledger_url)
        before = spec.pages.read(number)
        if before.slot_id and before.pid != self.pid:  # whoever had this page was killed in mid-batch
            spec.publish(slot_lost(connection, before.slot_id, before.running, "process killed").wake_ups)
        page = spec.pages.page(number)
        slot_id = register_slot(connection, spec.runner_id, number, self.pid, spec.settings.lease, busy=False)
        page.open(slot_id)
        calls = SlotCalls(connection, slot_id)
        warm_up(calls)
        reports = Reports(calls, lambda: open_connection(spec.ledger_url), page.is_draining)
        events = None
        if spec.events is not None:
            events = TaskEvents(spec.events, shows_args=spec.settings.event_args)
        bell = None if spec.bells is None else spec.bells.bell(number)
        return SlotLoop(reports, self._environment, spec.publish, page, events, bell)


def warm_up(calls: SlotCalls) -> None:
    """Call the hot functions once with nothing to do, so that the first job does not pay for their plans."""
    calls.claim(NOTHING)
    calls.advance(NOTHING.claim_id, Finished(), NOTHING)


def open_connection(url: str) -> Connection:
    """Open the connection of a slot."""
    return connect(url, durable=False, name="tilebox-celery slot")
