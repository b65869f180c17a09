"""Calls of a slot that survive a lost connection: sent again until the ledger has answered.

The outcome of a call whose connection broke is unknown. Sending it again is harmless: what was committed comes back
as stale, and what was claimed in the lost answer goes back to the queue.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import psycopg

from tilebox_celery import faults
from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.ledger.calls import NOTHING, Answer, ClaimedTask, Finished, SlotCalls, Wish
from tilebox_celery.ledger.progress import report_progress
from tilebox_celery.model.context import ProgressUpdate
from tilebox_celery.postgres.connection import Connection

logger = logging.getLogger("tilebox_celery.runner")
LONGEST_PAUSE = 5.0
T = TypeVar("T")
BROKEN = (psycopg.OperationalError, psycopg.errors.UniqueViolation, TileboxCeleryError)
_AWAY = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that say what happened to the server or to other calls; what was sent is not to blame."""


class Ask(Protocol):
    """Reads from the ledger on the connection of a slot."""

    def __call__(self, read: Callable[[Connection], T], /) -> T: ...


class Reports:
    """The ledger of one slot, with a new connection where one breaks.

    Args:
        calls: The slot's calls.
        connect: Opens a connection like the slot's.
        gives_up: Asked between the tries; True raises what happened.
    """

    def __init__(self, calls: SlotCalls, connect: Callable[[], Connection], gives_up: Callable[[], bool]) -> None:
        self.calls = calls
        self._connect = connect
        self._gives_up = gives_up

    @property
    def connection(self) -> Connection:
        """The slot's connection; another one after a break."""
        return self.calls.connection

    def may_repeat(self, error: Exception) -> bool:
        """Return whether the same call may succeed later; False: the ledger refuses what was sent, and always will."""
        if isinstance(error, psycopg.OperationalError):
            return bool(self.connection.closed) or (error.sqlstate or "").startswith(_AWAY)
        return isinstance(error, BROKEN)

    def claim(self, wish: Wish, token: int | None = None) -> Answer:
        """Claim a batch."""
        if faults.seam is not None:
            faults.seam("before_claim")
        try:
            answer = self.calls.claim(wish, token)
        except BROKEN as error:
            answer = self._again(error, lambda: self._return_all_and_claim(wish))
        if faults.seam is not None and answer.tasks:
            faults.seam("after_claim")
        return answer

    def advance(self, claim_id: str, finished: Finished, wish: Wish) -> Answer:
        """Report computed tasks and claim the next batch.

        Raises:
            psycopg.Error: The ledger refuses the report itself.
        """
        if faults.seam is not None:
            faults.seam("before_commit")
        try:
            answer = self.calls.advance(claim_id, finished, wish)
        except BROKEN as error:

            def send() -> Answer:
                sent = self.calls.advance(claim_id, finished, NOTHING)
                sent.stale.clear()  # committed by the call whose answer was lost, or superseded: the ledger knows
                claimed = self._return_all_and_claim(wish) if wish is not NOTHING else Answer()
                claimed.wake_ups += sent.wake_ups
                return claimed

            answer = self._again(error, send)
        if faults.seam is not None:
            faults.seam("after_commit")
        return answer

    def fail(
        self, claim_id: str, failed: Finished, errors: list[str], delays_us: list[int], final: list[bool]
    ) -> Answer:
        """Report failed tasks."""
        try:
            return self.calls.fail(claim_id, failed, errors, delays_us, final)
        except BROKEN as error:
            return self._again(error, lambda: self.calls.fail(claim_id, failed, errors, delays_us, final))

    def ask(self, read: Callable[[Connection], T], /) -> T:
        """Read what a task needs, again on a new connection if this one is lost: the task is not to blame."""
        while True:
            try:
                return read(self.connection)
            except psycopg.OperationalError as error:
                self._again(error, Answer)

    def progress(self, claim_id: str, task: ClaimedTask, bars: Mapping[str, ProgressUpdate]) -> None:
        """Store the progress bars of a task.

        Raises:
            psycopg.Error: The ledger refuses them.
        """

        def send() -> Answer:
            report_progress(self.connection, claim_id, task, bars)
            return Answer()

        try:
            send()
        except BROKEN as error:
            self._again(error, send)

    def give_back(self, claim_id: str | None, tasks: list[ClaimedTask] | None, reason: str | None = None) -> Answer:
        """Return tasks to the queue."""
        try:
            return self.calls.give_back(claim_id, tasks, reason)
        except BROKEN as error:
            return self._again(error, lambda: self.calls.give_back(claim_id, tasks, reason))

    def yield_slot(self) -> Answer:
        """Leave the loop although more may be runnable."""
        try:
            return self.calls.yield_slot()
        except BROKEN as error:
            return self._again(error, self.calls.yield_slot)

    def _return_all_and_claim(self, wish: Wish) -> Answer:
        back = self.calls.give_back(None, None)
        answer = self.calls.claim(wish)
        answer.wake_ups += back.wake_ups
        return answer

    def _again(self, error: Exception, send: Callable[[], Answer]) -> Answer:
        pause = 0.05
        while True:
            if self._gives_up() or not self.may_repeat(error):
                raise error
            logger.warning("ledger call failed, trying again in %.2f s: %s", pause, error)
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
            try:
                if self.calls.connection.closed or self.calls.connection.broken:
                    with contextlib.suppress(psycopg.Error):
                        self.calls.connection.close()
                    self.calls.connection = self._connect()
                return send()
            except BROKEN as again:
                error = again
