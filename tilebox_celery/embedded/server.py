"""Start, adopt, watch and stop one server program; what PostgreSQL and Valkey have in common."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tilebox_celery.embedded.layout import Layout
from tilebox_celery.embedded.locks import flock_within, is_flocked, open_lock
from tilebox_celery.embedded.processes import (
    end_processes,
    ended_within,
    open_process,
    processes_in,
    processes_in_removed,
    send_signal,
)
from tilebox_celery.errors import EmbeddedStackError

_LOG_LIMIT_BYTES = 10 * 1024 * 1024


class Server(ABC):
    """One server in one data directory.

    Its processes inherit a locked file, so that the kernel knows whether any of them lives, whatever killed the others.
    """

    title: ClassVar[str]
    program: ClassVar[str]
    stop_signals: ClassVar[Sequence[tuple[signal.Signals, float]]]
    """What to send when it shall go, and how many seconds to wait each time."""

    def __init__(self, layout: Layout, folder: Path, sockets: Path) -> None:
        self.layout = layout
        self.folder = folder
        self.sockets = sockets
        self.lock = layout.run / f"{self.program}.lock"
        self.log = layout.log / f"{self.program}.log"
        self.place: os.stat_result | None = None
        """What ``folder`` was at the start; the path may have been removed, moved and made again since."""
        self.pid: int | None = None
        self.pidfd: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    @abstractmethod
    def socket(self) -> Path:
        """The socket that clients connect to."""

    @abstractmethod
    def prepare(self, lock: int) -> list[str]:
        """Make the data ready for a start, and return the command of the server; helpers inherit the lock too."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Say whether the server answers requests."""

    @abstractmethod
    def find_main_process(self) -> int | None:
        """Return the pid of the server that works in the data directory, if one does."""

    def start(self) -> None:
        """Adopt the server that runs in the data directory already, or launch a new one; do not wait for it."""
        if not self._adopt():
            self._launch()

    def await_ready(self, seconds: float) -> None:
        """Wait until the server answers.

        Raises:
            EmbeddedStackError: It ended or took too long.
        """
        assert self.pidfd is not None, "await_ready follows start"
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if ended_within(self.pidfd, 0.005):
                self._forget()
                raise EmbeddedStackError(f"{self.title} did not start: {self._last_words()} (log: {self.log}).")
            if time.monotonic() > deadline:
                raise EmbeddedStackError(f"{self.title} did not start within {seconds:.0f} s (log: {self.log}).")

    def has_ended(self) -> bool:
        """Say whether the server that was started is gone."""
        return self.pidfd is None or ended_within(self.pidfd, 0)

    def accepts_connections(self) -> bool:
        """Say whether somebody listens on the socket."""
        return can_connect(self.socket)

    def stop(self) -> bool:
        """End the server, gently first, make sure that nothing of it is left, and say whether it was there."""
        if self.pidfd is None and not self._adopt():
            return end_processes(self._remains) > 0
        assert self.pidfd is not None, "adopted just now"
        for number, seconds in self.stop_signals:
            send_signal(self.pidfd, number)
            if ended_within(self.pidfd, seconds):
                break
        self._forget()
        end_processes(self._remains)
        return True

    def kill(self) -> None:
        """End the server without giving it the time to remove files: they may be those of its successor."""
        if self.pidfd is not None:
            send_signal(self.pidfd, signal.SIGKILL)
            self._forget()
        end_processes(self._remains)

    def _adopt(self) -> bool:
        deadline = time.monotonic() + 2
        while is_flocked(self.lock):
            if (pid := self.find_main_process()) and (pidfd := open_process(pid)) is not None:
                self.pid, self.pidfd, self.place = pid, pidfd, self.folder.stat()
                return True
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)  # it is about to become the server, or the children of a killed one are about to go
        return False

    def _launch(self) -> None:
        end_processes(self._remains)
        # They would remove the new sockets when they notice that their data is gone.
        end_processes(lambda: processes_in_removed(self.folder, self.program))
        lock = open_lock(self.lock)
        try:
            if not flock_within(lock, 10):
                raise EmbeddedStackError(
                    f"A {self.title} that this process cannot see works in {self.folder}, perhaps in another "
                    "container: stop it there, or set TILEBOX_CELERY_HOME to another directory."
                )
            arguments = self.prepare(lock)
            self.place = self.folder.stat()
            self._rotate_log()
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(  # noqa: S603  # our own programs, no shell
                    arguments,
                    cwd=self.folder,
                    env=clean_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    start_new_session=True,  # Ctrl-C in the user's terminal must not reach it
                )
        except OSError as error:
            raise EmbeddedStackError(f"{self.title} cannot be started in {self.folder}: {error.strerror}.") from error
        finally:
            os.close(lock)
        self.pid, self.pidfd = self._process.pid, os.pidfd_open(self._process.pid)

    def _remains(self) -> list[int]:
        with contextlib.suppress(FileNotFoundError):
            return processes_in(self.place or self.folder.stat(), self.program)
        return []

    def _forget(self) -> None:
        if self._process is not None:
            self._process.wait()
        if self.pidfd is not None:
            os.close(self.pidfd)
        self._process = self.pidfd = self.pid = None

    def _rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _last_words(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read(65536).decode(errors="replace").strip().splitlines()
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line or "Fatal" in line]
        return (fatal or lines or ["it said nothing"])[-1].strip().rstrip(".")


def can_connect(path: Path) -> bool:
    """Say whether a process accepts connections on this unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True  # it is there, and has more to do than it can take
    return True


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would change a server's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG", "TZ"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
