"""Start the keeper beside a worker, and start another one when it dies."""

import contextlib
import json
import os
import subprocess
import sys
from typing import IO

from tilebox_celery.runner.offspring import ticks_now
from tilebox_celery.runner.page import Pages
from tilebox_celery.settings import Settings


class KeeperProcess:
    """The keeper of this process.

    Args:
        runner_id: From `register_runner`.
        ledger_url: Goes through a pipe, since it may hold a password.
        broker_url: Likewise.
        pages: Shared with the slots.
        settings: Of the runner.
    """

    def __init__(
        self, runner_id: int, ledger_url: str, broker_url: str | None, pages: Pages, settings: Settings
    ) -> None:
        self._order = {
            "runner_id": runner_id,
            "ledger_url": ledger_url,
            "broker_url": broker_url,
            "parent": os.getpid(),
            "since": ticks_now(),
            "slots": pages.slots,
            "lease": settings.lease.total_seconds(),
            "heartbeat": settings.heartbeat.total_seconds(),
            "grace": settings.grace.total_seconds(),
        }
        self._pages = pages
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._stopped = False

    def start(self) -> None:
        """Start the keeper, unless it runs."""
        if self._stopped or (self._process is not None and self._process.poll() is None):
            return
        self._close_pipe()
        read_end, self._pipe = os.pipe()
        order = {**self._order, "pages_fd": self._pages.fd, "pipe_fd": read_end}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tilebox_celery.runner.keeper"],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(self._pages.fd, read_end),
        )
        os.close(read_end)
        stdin: IO[bytes] | None = self._process.stdin
        assert stdin is not None, "it was asked for"
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.close()

    def drain(self) -> None:
        """Start the drain clock; safe in a signal handler."""
        self._say(b"d")

    def drain_now(self) -> None:
        """End the grace; safe in a signal handler."""
        self._say(b"n")

    def stop(self) -> None:
        """End the keeper: its process has nothing left to keep."""
        self._stopped = True
        self._close_pipe()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int | None:
        """The process of the keeper."""
        return self._process.pid if self._process is not None else None

    def _say(self, word: bytes) -> None:
        if self._pipe >= 0:
            with contextlib.suppress(OSError):
                os.write(self._pipe, word)

    def _close_pipe(self) -> None:
        if self._pipe >= 0:
            with contextlib.suppress(OSError):
                os.close(self._pipe)
        self._pipe = -1
