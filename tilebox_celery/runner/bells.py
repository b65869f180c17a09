"""Bells: a worker's parent wakes a child that rests between two batches, without a turn through the pool's queue.

A ring promises nothing, as every wake-up: one that is lost (its child died, or left its loop in that moment) is made up
for by what finds lost wake-ups.
"""

import contextlib
import mmap
import os
import select
from collections.abc import Callable

AWAY, AT_WORK, AT_REST, SENT_HOME = range(4)
LOOK_SECONDS = 5.0
"""How often a resting child looks whether its parent still lives."""


class Bells:
    """A bell for each page of a worker, made before its pool forks.

    Args:
        count: How many pages.

    Example:
        >>> bells = Bells(2)
        >>> bell = bells.bell(1)
        >>> bells.ring(1)
        False
        >>> bell.arm()
        >>> bells.ring(1), bell.rest(lambda: False)
        (True, True)
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._states = mmap.mmap(-1, max(1, count))
        self._pipes = [os.pipe() for _ in range(count)]
        for end in (end for ends in self._pipes for end in ends):
            os.set_blocking(end, False)

    def bell(self, number: int) -> "Bell":
        """Return the bell of a page, as the child that has this page hears it."""
        return Bell(self._states, number, self._pipes[number][0])

    def ring(self, number: int) -> bool:
        """Wake a child; False: it is not in its loop, and only the pool reaches it."""
        if self._states[number] in (AWAY, SENT_HOME):
            return False
        self._push(number)
        return True

    def ring_all(self) -> None:
        """Let every resting child look whether it must stop; safe in a signal handler."""
        for number in range(self.count):
            self._push(number)

    def send_home(self, most: int) -> int:
        """Let children that rest leave their loops, so that the pool has them at hand, and return how many."""
        resting = [number for number in range(self.count) if self._states[number] == AT_REST][:most]
        for number in resting:
            self._states[number] = SENT_HOME
            self._push(number)
        return len(resting)

    def count_at_work(self) -> int:
        """Return how many children are in their loops and do not rest."""
        return sum(self._states[number] == AT_WORK for number in range(self.count))

    def _push(self, number: int) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it rings anyway
            os.write(self._pipes[number][1], b"!")


class Bell:
    """The bell of one slot, in the child that serves it."""

    def __init__(self, states: mmap.mmap, number: int, fd: int) -> None:
        self._states = states
        self._number = number
        self._fd = fd
        self._parent = os.getppid()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self.disarm()  # whoever had this page before may have died at rest

    def arm(self) -> None:
        """Say that the loop goes on when the bell rings; before a claim, so that no wake-up after it is missed."""
        self._states[self._number] = AT_WORK

    def disarm(self) -> None:
        """Say that the loop ends."""
        self._states[self._number] = AWAY
        self._take()

    def rest(self, must_stop: Callable[[], bool]) -> bool:
        """Wait for a ring; False: the loop shall end."""
        self._states[self._number] = AT_REST
        while not must_stop() and os.getppid() == self._parent:
            rung = self._poll.poll(LOOK_SECONDS * 1000)
            if self._states[self._number] == SENT_HOME:
                return False
            if rung:
                self._states[self._number] = AT_WORK
                self._take()
                if not must_stop():
                    return True
        return False

    def _take(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 4096)
