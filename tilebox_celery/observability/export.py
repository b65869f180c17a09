"""Batches of log records and spans on their way out, one background thread for each destination and process."""

import atexit
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import Generic, TypeVar

MAX_QUEUE = 8_192
"""Items that wait while the collector is slow or away; more are dropped and counted."""
CHUNK = 512
"""Items in one request."""
BACKOFF = (0.5, 1, 2, 4, 8)
"""Seconds between attempts to send a chunk; after the last one it is dropped and counted."""

Item = TypeVar("Item")
_logger = logging.getLogger("tilebox_celery.observability")
_batches: "list[Batch[object]]" = []


class CannotSend(Exception):  # never leaves this package: the thread turns it into a warning
    """The collector did not take a chunk."""

    def __init__(self, reason: str, *, retry: bool) -> None:
        """Say why, and whether the same chunk may be taken later."""
        super().__init__(reason)
        self.retry = retry


class Batch(Generic[Item]):
    """Collect items and send them in chunks from a thread of this process.

    The thread, its connection and the queue belong to one process: a forked child starts with an empty queue and makes
    its own thread and connection when it has something to send. What the parent queued, the parent sends.
    """

    def __init__(self, destination: str, connect: Callable[[], Callable[[list[Item]], None]], interval: float) -> None:
        """Set up an empty batch; the thread starts with the first item.

        Args:
            destination: Where items go, for messages; without secrets.
            connect: Makes what sends a chunk or raises CannotSend; called in the thread and process that will use it.
            interval: Seconds that an item waits for company.
        """
        self.destination = destination
        self.dropped = 0
        self._connect = connect
        self._interval = interval
        self._thread: Thread | None = None
        self._sender: Callable[[list[Item]], None] | None = None
        self._closed = False
        self._failing = False
        self.forget()
        _batches.append(self)  # type: ignore[arg-type]  # used for flush and close only, which take no item

    def put(self, item: Item) -> None:
        """Queue an item, or drop and count it when the queue is full; never waits for the network."""
        with self._changed:
            if self._closed or len(self._queue) >= MAX_QUEUE:
                self.dropped += 1
                return
            self._queue.append(item)
            self._added += 1
            if self._thread is None:
                self._thread = Thread(target=self._run, name=f"export to {self.destination}", daemon=True)
                self._thread.start()
            elif len(self._queue) == CHUNK:
                self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Send what is queued now.

        Args:
            timeout: Seconds to wait; an unreachable collector is waited for once, until it answers again.

        Returns:
            Whether all of it has left.
        """
        with self._changed:
            target = self._added
            if self._settled >= target:
                return not self._failing
            self._flush_to = target
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled >= target or self._failing, timeout)
            return self._settled >= target and not self._failing

    def close(self, timeout: float) -> None:
        """Send what is queued, end the thread and take no more items."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled >= self._added, timeout)
        if self in _batches:
            _batches.remove(self)  # type: ignore[arg-type]  # as above

    def forget(self) -> None:
        """Start anew with an empty queue, as a forked child must."""
        self._changed = Condition()
        self._queue: deque[Item] = deque()
        self._thread = None
        self._sender = None
        self._added = 0
        self._settled = 0
        self._flush_to = 0
        self._failing = False

    def _run(self) -> None:
        while chunk := self._next_chunk():
            self._send(chunk)
            with self._changed:
                self._settled += len(chunk)
                self._changed.notify_all()

    def _next_chunk(self) -> list[Item]:
        """Wait for items; an empty chunk means that the batch is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._changed.wait_for(
                lambda: self._closed or self._flush_to > self._settled or len(self._queue) >= CHUNK, self._interval
            )
            return [self._queue.popleft() for _ in range(min(CHUNK, len(self._queue)))]

    def _send(self, chunk: list[Item]) -> None:
        for delay in (*BACKOFF, None):
            try:
                if self._sender is None:
                    self._sender = self._connect()
                self._sender(chunk)
            except CannotSend as error:
                self._note_failure(error)
                if delay is None or not error.retry or self._pause(delay):
                    break
            except Exception as error:  # the thread must outlive whatever a library raises
                self._note_failure(error)
                break
            else:
                self._failing = False
                return
        self.dropped += len(chunk)

    def _pause(self, seconds: float) -> bool:
        """Wait, and tell whether the batch was closed meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)
            return self._closed

    def _note_failure(self, error: Exception) -> None:
        with self._changed:
            was_failing, self._failing = self._failing, True
            self._changed.notify_all()
        if not was_failing:  # once per outage, not per chunk
            _logger.warning("Cannot send telemetry to %s: %s", self.destination, error)


def flush(timeout: float = 2.0) -> bool:
    """Send all logs and spans that are queued in this process.

    A runner calls it when its slot has nothing more to do and before a child ends, since children are ended without
    their exit handlers. It returns at once when nothing is configured or nothing is queued.

    Args:
        timeout: Seconds to wait at most, for all destinations together.

    Returns:
        Whether everything has left.

    Example:
        >>> flush()
        True
    """
    if not _batches:
        return True
    deadline = time.monotonic() + timeout
    flushed = [batch.flush(max(0.0, deadline - time.monotonic())) for batch in list(_batches)]
    return all(flushed)


def _forget_parent() -> None:
    for batch in _batches:
        batch.forget()


def _end() -> None:
    flush()
    while _batches:  # close() takes them out
        _batches[-1].close(timeout=0)


os.register_at_fork(after_in_child=_forget_parent)
atexit.register(_end)
