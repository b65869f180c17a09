"""The clock of a drain: it runs beside the calls to the ledger, and ends the worker, answered or not."""

import contextlib
import os
import select
import signal
import threading
import time

from tilebox_celery.runner.offspring import Offspring
from tilebox_celery.runner.page import Pages
from tilebox_celery.runner.processes import ProcessWatch

TICK = 0.5
BRIEFLY = 2.0


class DrainClock:
    """Hears the words of a worker's signal handlers, and ends the worker when its grace is over.

    A worker is killed before the ledger knows only where the ledger is silent: the process is dead then, and its tasks
    come back by the next report that gets through, or by their lease.

    Args:
        parent: The worker.
        pages: Of its slots.
        offspring: What its tasks have started ends with it.
        pipe: The words: ``d`` starts the grace, ``n`` ends it.
        grace: In seconds.
    """

    def __init__(self, parent: int, pages: Pages, offspring: Offspring, pipe: int, grace: float) -> None:
        self.parent = parent
        self.pages = pages
        self.offspring = offspring
        self.grace = grace
        self.fenced = threading.Event()
        """What the worker held was given back: nothing that it still does counts."""
        self.bell, self._rope = os.pipe()
        self._pipe = pipe
        self._until: float | None = None

    def start(self) -> None:
        """Hear from now on."""
        threading.Thread(target=self._run, name="drain clock", daemon=True).start()

    @property
    def runs(self) -> bool:
        """Tell whether the worker drains against time."""
        return self._until is not None

    @property
    def is_over(self) -> bool:
        """Tell whether the grace has ended."""
        return self._until is not None and time.monotonic() >= self._until

    def begin(self) -> None:
        """Start the grace, unless it has begun."""
        if self._until is None:
            self._until = time.monotonic() + self.grace

    def _run(self) -> None:
        while not self.is_over:
            self._hear()
        self._ring()
        self.fenced.wait(BRIEFLY)
        self._end_worker()

    def _hear(self) -> None:
        left = TICK if self._until is None else min(TICK, max(0.0, self._until - time.monotonic()))
        readable, _, _ = select.select([self._pipe] if self._pipe >= 0 else [], [], [], left)
        if not readable:
            return
        words = os.read(self._pipe, 4096)
        if not words:
            self._pipe = -1
        if b"d" in words:
            self.begin()
        if b"n" in words:
            self._until = 0.0
        self._ring()

    def _ring(self) -> None:
        os.write(self._rope, b"!")

    def _end_worker(self) -> None:
        batches = [batch for number in range(self.pages.slots) if (batch := self.pages.read(number)).slot_id]
        children = {batch.pid for batch in batches} - {self.parent}
        for pid in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        if not ProcessWatch().wait_gone(self.parent, 5.0 if children else 0.2):
            self.offspring.look()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.parent, signal.SIGKILL)
        self.offspring.end(self.parent)
