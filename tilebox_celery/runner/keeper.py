"""The keeper: a small process beside a worker that renews leases, reports the dead, and keeps the drain clock.

It shares no interpreter with user code, so a task that holds the GIL for minutes cannot stop its heartbeats, and a
stopped or dead slot cannot send any. Started as ``python -m tilebox_celery.runner.keeper`` with a JSON order on stdin.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import psycopg

from tilebox_celery.dispatch.publisher import Publisher
from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.ledger import runners
from tilebox_celery.ledger.calls import Answer
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.runner.drain_clock import TICK, DrainClock
from tilebox_celery.runner.offspring import Offspring
from tilebox_celery.runner.page import Batch, Pages
from tilebox_celery.runner.patience import patience
from tilebox_celery.runner.processes import ProcessWatch, is_stopped

SWEEP = 1.0
PATIENCE = 10.0
LAST_WORDS = 600.0
STALE_BATCH_NS = 500_000_000


class Keeper:
    """Watches one worker.

    Args:
        order: ``runner_id``, ``ledger_url``, ``broker_url``, ``parent``, ``since``, ``pages_fd``, ``slots``,
            ``pipe_fd``, and in seconds ``lease``, ``heartbeat``, ``grace``.
    """

    def __init__(self, order: dict[str, object]) -> None:
        self.runner_id = int(str(order["runner_id"]))
        self.url = str(order["ledger_url"])
        self._publish = Publisher(None if order["broker_url"] is None else str(order["broker_url"]))
        self.parent = int(str(order["parent"]))
        self.pages = Pages(int(str(order["slots"])), int(str(order["pages_fd"])))
        self.lease = timedelta(seconds=float(str(order["lease"])))
        self.heartbeat = float(str(order["heartbeat"]))
        self.offspring = Offspring(self.parent, int(str(order["since"])))
        grace = float(str(order["grace"]))
        self.clock = DrainClock(self.parent, self.pages, self.offspring, int(str(order["pipe_fd"])), grace)
        self.connection: Connection | None = None
        self.watch = ProcessWatch()
        self.watch.add(self.parent)
        self.dead_slots: set[int] = set()
        self.ended: set[int] = set()
        """Processes whose leavings were ended: their pid may be another's by now."""
        self.told_drain = False
        self.is_outdated = False

    def run(self) -> None:
        """Serve until the worker is gone."""
        self.clock.start()
        next_beat = next_sweep = 0.0
        while True:
            now = time.monotonic()
            self._look_at_slots()
            if any(batch.position >= 0 for batch in self._slots()):
                self.offspring.look()
            if self.watch.is_gone(self.parent):
                self._parent_gone()
                return
            steps = [self._drain]
            if now >= next_beat:
                next_beat = now + self.heartbeat
                steps.append(self._beat)
            if now >= next_sweep:
                next_sweep = now + SWEEP
                steps.append(self._sweep)
            if not all(map(self._ask, [*steps, self._take_back_old_batches])):
                next_beat = min(next_beat, now + 1.0)
            self._wait(min(TICK, max(0.01, next_beat - time.monotonic())))

    def _wait(self, seconds: float) -> None:
        readable, _, _ = select.select([*self.watch.fds(), self.clock.bell], [], [], seconds)
        if self.clock.bell in readable:
            os.read(self.clock.bell, 4096)

    def _ask(self, step: Callable[[], None]) -> bool:
        """Do what needs the ledger; False: it has not answered."""
        try:
            with patience(PATIENCE):
                step()
        except (psycopg.Error, TileboxCeleryError):
            self._forget_connection()
            return False
        return True

    def _look_at_slots(self) -> None:
        for number in range(self.pages.slots):
            batch = self.pages.read(number)
            if not batch.slot_id or batch.slot_id in self.dead_slots:
                continue
            self.watch.add(batch.pid)
            if self.watch.is_gone(batch.pid) and batch.pid != self.parent and not self.clock.is_over:
                self._report_lost(batch, "process killed")

    def _report_lost(self, batch: Batch, reason: str) -> None:
        if batch.pid not in self.ended:  # first, so that nothing of it runs beside the next attempt
            self.ended.add(batch.pid)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(batch.pid, signal.SIGKILL)
            self.offspring.end(batch.pid)
        if self._ask(lambda: self._tell(runners.slot_lost(self._ledger(), batch.slot_id, batch.running, reason))):
            self.dead_slots.add(batch.slot_id)

    def _beat(self) -> None:
        if is_stopped(self.parent):
            return
        healthy = {
            batch.slot_id: (number, batch.claim_id)
            for number in range(self.pages.slots)
            if (batch := self.pages.read(number)).slot_id
            and batch.slot_id not in self.dead_slots
            and not self.watch.is_gone(batch.pid)
            and not is_stopped(batch.pid)
        }
        pulse = runners.heartbeat(self._ledger(), self.runner_id, list(healthy), self.lease)
        for slot_id in pulse.gone:  # its tasks went to others while it was silent
            self.pages.revoke_all(*healthy[slot_id])
        if pulse.state == "draining" and not self.pages.is_draining():
            # The ledger wants newer code. Nobody waits for this process to end, so its tasks have all the time that
            # they need; a signal still starts the clock.
            self.is_outdated = self.told_drain = True
            self.pages.drain()

    def _sweep(self) -> None:
        self._tell(runners.sweep(self._ledger()))

    def _take_back_old_batches(self) -> None:
        """Give tasks back that wait in a batch behind one that runs long."""
        now = time.monotonic_ns()
        for number in range(self.pages.slots):
            batch = self.pages.read(number)
            if batch.position < 0 or batch.position + 1 >= len(batch.tasks) or now - batch.begun_ns < STALE_BATCH_NS:
                continue
            batch, rest = self.pages.revoke_rest(number)
            if rest:
                self._tell(runners.give_back_unstarted(self._ledger(), batch.slot_id, batch.claim_id, rest, None))

    def _drain(self) -> None:
        if self.pages.is_draining() and not self.is_outdated:
            self.clock.begin()
        if not self.clock.runs:
            return
        if not self.told_drain:
            runners.drain_runner(self._ledger(), self.runner_id, gone=False)
            self.told_drain = True
        if self.clock.is_over and not self.clock.fenced.is_set():
            for batch in self._slots():
                self._give_all_back(batch)
                self.dead_slots.add(batch.slot_id)
            self.clock.fenced.set()

    def _give_all_back(self, batch: Batch) -> None:
        self._tell(runners.give_back_unstarted(self._ledger(), batch.slot_id, None, None, "runner shut down"))

    def _parent_gone(self) -> None:
        """Report what the worker held, once its processes are gone too."""
        slots = self._slots()
        for batch in slots:
            if batch.pid != self.parent:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(batch.pid, signal.SIGKILL)
                self.watch.wait_gone(batch.pid, 5.0)
        self.offspring.end(self.parent)
        until = time.monotonic() + LAST_WORDS
        while not self._ask(self._report_all_lost) and time.monotonic() < until:
            time.sleep(1.0)

    def _report_all_lost(self) -> None:
        reason = "runner left" if self.pages.is_draining() else "worker killed"
        for batch in self._slots():
            if batch.slot_id in self.dead_slots:
                continue
            if self.clock.is_over:  # killed while the ledger was silent: no fault of the task
                self._give_all_back(batch)
            self._tell(runners.slot_lost(self._ledger(), batch.slot_id, batch.running, reason))
            self.dead_slots.add(batch.slot_id)
        runners.drain_runner(self._ledger(), self.runner_id, gone=True)

    def _slots(self) -> list[Batch]:
        batches = [self.pages.read(number) for number in range(self.pages.slots)]
        return [batch for batch in batches if batch.slot_id]

    def _ledger(self) -> Connection:
        if self.connection is None or self.connection.closed:
            self.connection = connect(self.url, durable=False, name="tilebox-celery keeper")
        return self.connection

    def _forget_connection(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(psycopg.Error):
                self.connection.close()
        self.connection = None

    def _tell(self, answer: Answer) -> None:
        self._publish(answer.wake_ups)


def main() -> None:
    """Read the order and keep."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the worker's signals reach the whole terminal group
    Keeper(json.loads(sys.stdin.readline())).run()


if __name__ == "__main__":
    main()
