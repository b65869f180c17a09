"""Processes that user code forks inside a task: it may start them, and none comes back out of the task."""

import contextlib
import os
import sys
import traceback
from multiprocessing import process
from typing import Any, NoReturn

_BEFORE_THE_POOL = process.current_process()


def allow_children(**_: Any) -> None:
    """Let tasks use `multiprocessing` in a pool child of prefork, as they can anywhere else.

    Celery's children are daemonic, and those may start no process, for fear that nobody would end it: here the keeper
    ends what a slot has started. billiard puts an object of its own where multiprocessing keeps the current process,
    and that one cannot be sent to a process that is spawned.
    """
    name = process.current_process().name
    process._current_process = _BEFORE_THE_POOL  # type: ignore[attr-defined] # billiard keeps its own
    _BEFORE_THE_POOL.name = name  # for logs


class EndForks:
    """A block out of which only the process comes that went into it; what was forked in it ends there."""

    __slots__ = ("_process",)

    def __enter__(self) -> None:
        self._process = os.getpid()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if os.getpid() != self._process:
            _end(error)


def _end(error: BaseException | None) -> NoReturn:
    """End a process that a task forked and that came back as if it were the task, as Python ends a forked process.

    The slot, its connection and the outcome of the task are those of the process that forked it.

    Args:
        error: What it raised.
    """
    code = 0 if error is None else 1
    with contextlib.suppress(BaseException):
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        elif error is not None:
            traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    os._exit(code & 0xFF)
