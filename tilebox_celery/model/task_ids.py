"""Compute the public ids of tasks from their two ledger numbers, and draw the ids of new jobs."""

import os
import threading
import time
from uuid import UUID, SafeUUID

_VERSION_AND_VARIANT = (7 << 76) | (0b10 << 62)
_JOB_BITS = 54
_JOB_MASK = (1 << _JOB_BITS) - 1
_RANDOM_BITS = 74

_new = object.__new__
_set = object.__setattr__
_UNKNOWN = SafeUUID.unknown


def public_task_id(job_id: int, task_id: int) -> UUID:
    """Compute the public id of a task.

    Layout, high to low: 48 bits milliseconds since 1970, version 7, the upper 12 bits of the ledger's counter,
    variant 10, its lower 8 bits, 54 bits job key. So ids sort as the tasks of a job were submitted.

    Args:
        job_id: Key of the job in the ledger.
        task_id: Key of the task within its job: milliseconds << 20 plus a counter.

    Example:
        >>> public_task_id(5, (1708594387146 << 20) + 0x101)
        UUID('018dd029-58ca-7001-8040-000000000005')
    """
    # Every claimed task gets one: past UUID(int=...) with its checks, which take twice as long.
    value = _new(UUID)
    _set(
        value,
        "int",
        (task_id >> 20) << 80
        | _VERSION_AND_VARIANT
        | (task_id & 0xFFF00) << 56
        | (task_id & 0xFF) << _JOB_BITS
        | job_id,
    )
    _set(value, "is_safe", _UNKNOWN)
    return value


def task_key(value: UUID) -> tuple[int, int]:
    """Return the ledger's keys (job, task) in the public id of a task.

    A foreign UUID has keys too; there is just no such row.

    Example:
        >>> task_key(UUID("018dd029-58ca-7001-8040-000000000005")) == (5, (1708594387146 << 20) + 0x101)
        True
    """
    number = value.int
    return number & _JOB_MASK, number >> 80 << 20 | (number >> 56 & 0xFFF00) | (number >> _JOB_BITS & 0xFF)


_last_job = 0
_lock = threading.Lock()


def new_job_id() -> UUID:
    """Draw the id of a new job: 48 bits milliseconds since 1970, version 7, then 74 random bits.

    Ids grow within a process, also within one millisecond and when the clock steps back.

    Example:
        >>> new_job_id() < new_job_id()
        True
    """
    global _last_job
    drawn = time.time_ns() // 1_000_000 << _RANDOM_BITS | int.from_bytes(os.urandom(10)) >> 80 - _RANDOM_BITS
    with _lock:
        if drawn <= _last_job:
            drawn = _last_job + 1 + int.from_bytes(os.urandom(4))
        _last_job = drawn
    low = drawn & (1 << 62) - 1
    return UUID(int=drawn >> _RANDOM_BITS << 80 | (drawn >> 62 & 0xFFF) << 64 | _VERSION_AND_VARIANT | low)


def _after_fork() -> None:
    global _lock  # another thread of the parent may have held it
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
