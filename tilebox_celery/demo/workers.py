"""Start, kill and drain the worker processes of the demo."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.model.job import TaskView

_START_SECONDS = 120.0
_DRAIN_SECONDS = 40.0


class Worker:
    """A worker process, which runs one task at a time in itself.

    Args:
        number: How people call it.
        cluster: Whose tasks it takes.
        cache: Folder of the job caches.
        log: File that takes what it prints.
    """

    def __init__(self, number: int, cluster: str, cache: Path, log: Path) -> None:
        self.number = number
        self.log = log
        self.is_killed = False
        """By us."""
        self._has_spoken = threading.Event()
        self._takes_tasks = False
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  # a module of this package
                [sys.executable, "-m", "tilebox_celery.demo.worker", cluster, str(cache)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the demo, which drains its workers itself
            )
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process of the worker."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._process.poll()

    @property
    def is_ready(self) -> bool:
        """Whether it takes tasks."""
        return self._takes_tasks

    def await_ready(self) -> None:
        """Wait until it takes tasks.

        Raises:
            TileboxCeleryError: It ended before.
        """
        self._has_spoken.wait(_START_SECONDS)
        if not self._takes_tasks:
            raise TileboxCeleryError(f"Worker {self.number} did not start: see {self.log}.")

    def runs(self, task: TaskView) -> bool:
        """Say whether this worker runs a task, or ran its last attempt."""
        return self.is_named(task.runner)

    def is_named(self, runner: str | None) -> bool:
        """Say whether this is the name of the worker in the ledger: ``<cluster>-<process>@<host>``."""
        return runner is not None and runner.partition("@")[0].endswith(f"-{self.pid}")

    def freeze(self) -> None:
        """Stop it in the middle of what it does, and return when it has stopped (or ended)."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it with SIGKILL, and return when it has gone."""
        self.is_killed = True
        self._process.kill()
        self._process.wait()

    def drain(self) -> None:
        """Ask it to finish what it runs and to go."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)

    def await_end(self) -> int:
        """Wait until it has gone, and return its exit code."""
        try:
            code = self._process.wait(_DRAIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None, "it was asked for"
            self._process.stdin.close()
        return code

    def _listen(self) -> None:
        assert self._process.stdout is not None, "it was asked for"
        with self._process.stdout as lines:
            for line in lines:
                if line.strip() == b"ready":
                    self._takes_tasks = True
                    self._has_spoken.set()
        self._takes_tasks = False
        self._has_spoken.set()
