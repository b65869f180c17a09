"""Slots that sleep until they are woken, publishers and keepers play the wake-up protocol, each in a thread."""

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

from ledger_driver import LEASE, LedgerDriver, ids
from reference import Spec

from tilebox_celery.ledger.calls import WakeUp
from tilebox_celery.postgres.connection import connect

SLOTS = {"a": 1, "b": 1, "c": 1, "d": 2}
"""The clusters, each with one runner: the fewer slots, the fewer ways out of a lost wake-up."""
JITTER = 0.02
"""Seconds within which a submission and a heartbeat follow a claim, about as long as a call with its pauses."""
DEADLINE = 30.0
"""Seconds for whatever a thread may wait for."""
Inbox = queue.SimpleQueue[Any]


@dataclass
class Lane:
    """A runner of a cluster of its own."""

    cluster: str
    runner: int
    slots: list[int]
    wake_ups: Inbox = field(default_factory=queue.SimpleQueue)
    """Like a pool of processes, the runner hands a wake-up to any slot that is free."""
    submissions: Inbox = field(default_factory=queue.SimpleQueue)
    beats: Inbox = field(default_factory=queue.SimpleQueue)


class Floor:
    """A ledger at work; every thread has a connection and handles what is in its inbox.

    Args:
        url: Of an empty ledger.
    """

    def __init__(self, url: str) -> None:
        self.executed: list[tuple[int, int]] = []
        self._url = url
        self._lanes: dict[int, Lane] = {}
        self._threads: list[tuple[threading.Thread, Inbox]] = []
        self._errors: list[BaseException] = []
        self._pending = 0
        self._change = threading.Condition()

    def __enter__(self) -> Self:
        with connect(self._url, durable=False) as connection:
            ledger = LedgerDriver(connection)
            for cluster, count in SLOTS.items():
                ledger.create_cluster(cluster)
                runner = ledger.runner(cluster, wake_by="broker")
                lane = Lane(cluster, runner, [ledger.slot(runner, busy=False) for _ in range(count)])
                self._lanes[runner] = lane
                for slot in lane.slots:
                    self._start(lane.wake_ups, partial(self._work, lane, slot))
                for _ in range(2):
                    self._start(lane.submissions, partial(self._publish, lane))
                self._start(lane.beats, partial(self._beat, lane))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for _thread, inbox in self._threads:
            inbox.put(None)
        for thread, _inbox in self._threads:
            thread.join(DEADLINE)
        assert error or not any(thread.is_alive() for thread, _ in self._threads)

    def burst(self) -> None:
        """Submit a job to each cluster, which others may follow; wait until nobody does anything any more."""
        for lane in self._lanes.values():
            self._put(lane.submissions, random.random())
        with self._change:
            is_quiet = self._change.wait_for(lambda: self._pending == 0 or self._errors, DEADLINE)
        if self._errors:
            raise self._errors[0]
        assert is_quiet, f"{self._pending} calls do not end"

    def _start(self, inbox: Inbox, handle: Callable[[LedgerDriver, Any], None]) -> None:
        thread = threading.Thread(target=self._run, args=(inbox, handle), daemon=True)
        self._threads.append((thread, inbox))
        thread.start()

    def _run(self, inbox: Inbox, handle: Callable[[LedgerDriver, Any], None]) -> None:
        try:
            with connect(self._url, durable=False) as connection:
                connection.execute(f"set statement_timeout = '{DEADLINE:.0f} s'".encode())
                ledger = LedgerDriver(connection)
                while (item := inbox.get(timeout=DEADLINE)) is not None:
                    handle(ledger, item)
                    self._count(-1)
        except BaseException as error:  # told by the main thread
            self._errors.append(error)
            self._count(0)

    def _put(self, inbox: Inbox, item: object) -> None:
        self._count(1)
        inbox.put(item)

    def _count(self, by: int) -> None:
        with self._change:
            self._pending += by
            self._change.notify_all()

    def _deliver(self, wake_ups: Sequence[WakeUp]) -> None:
        for wake_up in wake_ups:
            self._put(self._lanes[wake_up.runner_id].wake_ups, wake_up.slot_id)

    # --- what the threads do ---------------------------------------------------------------------------------------
    def _publish(self, lane: Lane, ledger: LedgerDriver, after: float) -> None:
        time.sleep(after * JITTER)
        ahead = None
        if random.random() < 0.5:
            ahead = ledger.wake_ahead(lane.cluster)
            self._deliver(ledger.answer.wake_ups)
            time.sleep(random.choice((0, random.random() * JITTER)))
        ledger.submit([Spec(cluster=lane.cluster)], ahead=ahead)
        self._deliver(ledger.answer.wake_ups)

    def _beat(self, lane: Lane, ledger: LedgerDriver, after: float) -> None:
        time.sleep(after * JITTER)
        for _ in range(4):
            ledger.rows("select * from tbx.heartbeat(%s, %s, %s)", lane.runner, lane.slots, LEASE)

    def _work(self, lane: Lane, slot: int, ledger: LedgerDriver, token: int) -> None:
        """Claim and finish until nothing is left; while it does, the next job may come.

        Every fourth root task has a subtask for the slots of d.
        """
        claim, _ = ledger.claim(slot, 2, token=token)
        answer = ledger.answer
        while answer.tasks or answer.signal == "a":
            if answer.tasks:
                self.executed += ids(answer.tasks)
                if not answer.tasks[0].parent_id and random.random() < 0.6:
                    self._put(lane.submissions, random.random())
                    self._put(lane.beats, random.random())
                entries = [
                    ((task.job_id, task.id), [] if task.parent_id or task.id % 4 else [Spec(cluster="d")])
                    for task in answer.tasks
                ]
                wish = ledger.wish(2)
                claim, answer = wish.claim_id, ledger.advance(slot, claim, entries, wish)
                self._deliver(answer.wake_ups)
            else:  # somebody publishes
                time.sleep(0.001)
                claim, _ = ledger.claim(slot, 2)
                answer = ledger.answer
        assert answer.signal == "i"
