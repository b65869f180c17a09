"""The pools that a runner can have."""

from enum import StrEnum


class Pool(StrEnum):
    """Who executes the tasks of a runner."""

    PREFORK = "prefork"
    """Processes: a task that kills its process harms no other."""
    THREADS = "threads"
    """Threads of one process."""
    SOLO = "solo"
    """One task at a time, in the process of the runner."""
