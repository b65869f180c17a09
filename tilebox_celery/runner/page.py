"""A page of shared memory per slot: which task of which batch it runs, and from where on the batch was taken back."""

import mmap
import os
import struct
import time
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from tilebox_celery.ledger.calls import ClaimedTask
from tilebox_celery.runner.pace import MAX_BATCH

HEADER = struct.Struct("<qqqqq16sq")  # slot id, pid, count, position, begun (ns), claim id, revoked from
PAIR = struct.Struct("<qq")
POSITION = struct.Struct("<q")
POSITION_AT = 24
REVOKED_AT = 56
PAGE_SIZE = 64 + MAX_BATCH * PAIR.size
CONTROL_SIZE = 64  # byte 0: draining
NEVER = 1 << 62


class Batch(NamedTuple):
    """What a slot says of itself."""

    slot_id: int
    pid: int
    position: int
    """Of the task that runs; -1 between batches."""
    begun_ns: int
    claim_id: str
    tasks: list[tuple[int, int]]
    """(job, task) of the whole batch."""

    @property
    def running(self) -> tuple[int, int] | None:
        """The task that runs."""
        return self.tasks[self.position] if 0 <= self.position < len(self.tasks) else None


class Pages:
    """Shared memory of one worker: a control byte, and one page for each slot.

    Args:
        slots: How many pages.
        fd: An open file of this layout; None makes a new anonymous one that children and the keeper inherit.
    """

    def __init__(self, slots: int, fd: int | None = None) -> None:
        size = CONTROL_SIZE + slots * PAGE_SIZE
        if fd is None:
            fd = os.memfd_create("tilebox-celery-slots") if hasattr(os, "memfd_create") else _unlinked_file()
            os.ftruncate(fd, size)
        self.fd = fd
        self.slots = slots
        self._memory = mmap.mmap(fd, size)

    def drain(self) -> None:
        """Tell every slot to claim nothing more; safe in a signal handler."""
        self._memory[0] = 1

    def is_draining(self) -> bool:
        """Tell whether slots must stop."""
        return self._memory[0] == 1

    def page(self, no: int) -> "Page":
        """Return the page of a slot."""
        return Page(self._memory, CONTROL_SIZE + no * PAGE_SIZE)

    def find(self, slot_id: int) -> int | None:
        """Return the page of the slot with this id, if it is one of this worker's."""
        for no in range(self.slots):
            if POSITION.unpack_from(self._memory, CONTROL_SIZE + no * PAGE_SIZE)[0] == slot_id:
                return no
        return None

    def read(self, no: int) -> Batch:
        """Return what a slot says of itself."""
        at = CONTROL_SIZE + no * PAGE_SIZE
        slot_id, pid, count, position, begun, claim, _ = HEADER.unpack_from(self._memory, at)
        tasks = [PAIR.unpack_from(self._memory, at + 64 + i * PAIR.size) for i in range(min(count, MAX_BATCH))]
        return Batch(slot_id, pid, position, begun, str(UUID(bytes=claim)), tasks)

    def revoke_rest(self, no: int) -> tuple[Batch, list[tuple[int, int]]]:
        """Take the tasks that a slot has not started out of its batch, and return them.

        The slot writes its position before it looks whether the task was revoked; we write before we look at the
        position: one of the two sees the other. The task at which both meet may be refused to the slot without being
        returned here: a slot gives back by itself what it was refused (twice does no harm, claims are fenced).
        """
        at = CONTROL_SIZE + no * PAGE_SIZE
        batch = self.read(no)
        first = batch.position + 1
        while True:
            POSITION.pack_into(self._memory, at + REVOKED_AT, first)
            (position,) = POSITION.unpack_from(self._memory, at + POSITION_AT)
            if position < first:
                break
            first = position + 1
        return batch, batch.tasks[first:] if batch.position >= 0 else []

    def revoke_all(self, no: int, claim_id: str) -> None:
        """Tell a slot that the ledger has given its batch to others; nothing happens if it has another one by now."""
        if self.read(no).claim_id == claim_id:
            POSITION.pack_into(self._memory, CONTROL_SIZE + no * PAGE_SIZE + REVOKED_AT, 0)


class Page:
    """The page of one slot, as the slot writes it."""

    __slots__ = ("_at", "_memory")

    def __init__(self, memory: mmap.mmap, at: int) -> None:
        self._memory = memory
        self._at = at

    def open(self, slot_id: int) -> None:
        """Say which slot and process this is."""
        HEADER.pack_into(self._memory, self._at, slot_id, os.getpid(), 0, -1, 0, bytes(16), NEVER)

    def begin(self, claim_id: str, tasks: Sequence[ClaimedTask]) -> None:
        """Publish a batch before its first task starts."""
        pairs = [number for task in tasks for number in (task.job_id, task.id)]
        struct.pack_into(f"<{len(pairs)}q", self._memory, self._at + 64, *pairs)
        slot_id, pid = struct.unpack_from("<qq", self._memory, self._at)
        HEADER.pack_into(
            self._memory, self._at, slot_id, pid, len(tasks), -1, time.monotonic_ns(), UUID(claim_id).bytes, NEVER
        )

    def start(self, position: int) -> bool:
        """Publish which task starts; False: it was taken back, do not start it."""
        POSITION.pack_into(self._memory, self._at + POSITION_AT, position)
        (revoked,) = POSITION.unpack_from(self._memory, self._at + REVOKED_AT)
        return bool(position < revoked)

    def holds(self) -> bool:
        """Tell whether the running task is still this slot's, as far as the keeper knows."""
        (position,) = POSITION.unpack_from(self._memory, self._at + POSITION_AT)
        (revoked,) = POSITION.unpack_from(self._memory, self._at + REVOKED_AT)
        return bool(position < revoked)

    def end(self) -> None:
        """Say that the batch is reported."""
        struct.pack_into("<qq", self._memory, self._at + 16, 0, -1)

    def is_draining(self) -> bool:
        """Tell whether this worker claims nothing more."""
        return self._memory[0] == 1


def _unlinked_file() -> int:
    import tempfile

    fd, path = tempfile.mkstemp(prefix="tilebox-celery-slots-")
    os.unlink(path)  # noqa: PTH108 # a file descriptor is all that is kept
    return fd
