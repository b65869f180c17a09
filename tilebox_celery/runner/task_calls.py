"""The ledger as user code reaches it while a task runs: one call at a time, none after the task, none in its forks."""

import contextlib
import os
import threading
import time

import psycopg

from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.ledger.calls import ClaimedTask
from tilebox_celery.ledger.progress import dependencies, report_progress
from tilebox_celery.model.context import ProgressUpdate
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.runner.reports import Reports

PROGRESS_SECONDS = 1.0


class TaskCalls:
    """What the context of one attempt may ask of the ledger, from any thread of user code.

    Args:
        reports: The ledger of the slot.
        claim_id: Fence of the attempt.
        task: The attempt.
    """

    __slots__ = ("_claim_id", "_has_ended", "_lock", "_next_report", "_process", "_reports", "_task")

    def __init__(self, reports: Reports, claim_id: str, task: ClaimedTask) -> None:
        self._reports = reports
        self._claim_id = claim_id
        self._task = task
        self._lock = threading.Lock()
        self._has_ended = False
        self._process = os.getpid()
        self._next_report = time.monotonic() + PROGRESS_SECONDS

    def end(self) -> None:
        """Make no further call: the connection is the slot's again."""
        with self._lock:
            self._has_ended = True

    def check_open(self, what: str) -> None:
        """Refuse what would be lost, or would disturb the connection of the slot.

        Args:
            what: What user code does, for the message.

        Raises:
            TileboxCeleryError: The task has ended, or this is a process that it forked.
        """
        if self._has_ended:
            raise TileboxCeleryError(f"The task has ended: wait for threads that {what} before execute returns.")
        if self._is_fork():
            raise TileboxCeleryError(f"A process that a task has started cannot {what}: do it in the task itself.")

    def moved(self, bars: dict[str, ProgressUpdate]) -> None:
        """Report progress, at most once a second; the end of the task reports it whole.

        It never raises, and waits neither for another report nor for a ledger that is away: progress is worth no task.
        """
        if time.monotonic() < self._next_report or self._is_fork() or not self._lock.acquire(blocking=False):
            return
        try:
            if not self._has_ended:
                self._next_report = time.monotonic() + PROGRESS_SECONDS
                shown = dict(bars)
                with contextlib.suppress(psycopg.Error, TileboxCeleryError):
                    report_progress(self._reports.connection, self._claim_id, self._task, shown)
        finally:
            self._lock.release()

    def dependencies(self) -> list[int]:
        """Return the ids of the tasks that this one depends on; none once the task has ended.

        Raises:
            TileboxCeleryError: This is a process that the task forked.
        """
        if self._is_fork():
            self.check_open("ask for depends_on")
        with self._lock:
            return [] if self._has_ended else self._reports.ask(self._read_dependencies)

    def _is_fork(self) -> bool:
        return os.getpid() != self._process

    def _read_dependencies(self, connection: Connection) -> list[int]:
        return dependencies(connection, self._task)
