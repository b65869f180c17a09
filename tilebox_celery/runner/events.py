"""Tell Flower and ``celery events`` of ledger tasks, under the user's names: buffered, bounded, never in the way."""

import logging
import os
import time
from typing import Any

from tilebox_celery.dispatch.event_channel import EventChannel
from tilebox_celery.ledger.calls import ClaimedTask, JobRef
from tilebox_celery.model.task_ids import public_task_id
from tilebox_celery.runner.outcome import Computed, Failed

logger = logging.getLogger("tilebox_celery.runner")
FLUSH_COUNT = 200
FLUSH_SECONDS = 0.5
MOST = 10_000
MAX_ARGS = 1024


class TaskEvents:
    """The events of one slot.

    Args:
        channel: Where they go.
        shows_args: Put inputs into the events.
    """

    def __init__(self, channel: EventChannel, *, shows_args: bool) -> None:
        self._channel = channel
        self._shows_args = shows_args
        self._pid = os.getpid()
        self._buffer: list[dict[str, Any]] = []
        self._flushed_at = 0.0
        self._clock = 0
        self.dropped = 0
        """Events that could not be sent."""

    def starts(self, task: ClaimedTask, job: JobRef, name: str) -> None:
        """Tell at once that a long task starts."""
        now = time.time()
        event = self._received(task, job, name, now)
        self._buffer += [event, self._event("task-started", event["uuid"], now)]
        self.flush()

    def ended(self, task: ClaimedTask, job: JobRef, name: str, outcome: Computed | Failed, us: int, told: bool) -> None:
        """Note that a task ended.

        Args:
            task: The task.
            job: Its job.
            name: Its identifier.
            outcome: What it produced.
            us: Runtime in microseconds.
            told: Its start was told already.
        """
        now = time.time()
        if told:
            uuid = str(public_task_id(task.job_id, task.id))
        else:
            received = self._received(task, job, name, now - us / 1e6)
            self._buffer.append(received)
            uuid = received["uuid"]
        if isinstance(outcome, Computed):
            event = self._event("task-succeeded", uuid, now)
            event["result"] = "None"
            event["runtime"] = us / 1e6
        else:
            event = self._event("task-failed", uuid, now)
            event["exception"] = outcome.error.rstrip().rpartition("\n")[2][:MAX_ARGS]
            event["traceback"] = outcome.error[-MAX_ARGS:]
        self._buffer.append(event)

    def flush_if_due(self) -> None:
        """Send what has gathered, when there is enough of it or it is old."""
        if len(self._buffer) >= FLUSH_COUNT or (self._buffer and time.monotonic() - self._flushed_at > FLUSH_SECONDS):
            self.flush()

    def flush(self) -> None:
        """Send everything now; what a broker that is away does not take is kept up to a bound, then dropped."""
        self._flushed_at = time.monotonic()
        if not self._buffer:
            return
        if self._channel.send(self._buffer):
            self._buffer = []
        elif len(self._buffer) > MOST:
            self.dropped += len(self._buffer)
            logger.warning("%d task events dropped, since the broker is away", self.dropped)
            self._buffer = []

    def _received(self, task: ClaimedTask, job: JobRef, name: str, now: float) -> dict[str, Any]:
        event = self._event("task-received", str(public_task_id(task.job_id, task.id)), now)
        event["name"] = name
        event["args"] = task.input[:MAX_ARGS].decode("utf-8", "replace") if self._shows_args else ""
        event["kwargs"] = ""
        event["retries"] = task.retries
        event["eta"] = event["expires"] = None
        event["root_id"] = str(job.uuid)
        event["parent_id"] = None if task.parent_id is None else str(public_task_id(task.job_id, task.parent_id))
        return event

    def _event(self, kind: str, uuid: str, now: float) -> dict[str, Any]:
        self._clock += 1
        return {
            "type": kind,
            "uuid": uuid,
            "hostname": self._channel.hostname,
            "pid": self._pid,
            "clock": self._clock,
            "utcoffset": 0,
            "timestamp": now,
        }
