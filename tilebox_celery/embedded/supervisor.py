"""Start both servers, watch them, and stop them when the last user has been gone for a while.

One such process lives beside each running stack. It sleeps in the kernel: until a server ends, a signal arrives, or the
last shared lock on the users' file goes, however its holder died. Should it be killed itself, the servers go on, and
the next user starts another one, which adopts them.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tilebox_celery.embedded.layout import Layout, choose_socket_folder, layout_of, make_folders
from tilebox_celery.embedded.locks import open_lock, try_record_lock
from tilebox_celery.embedded.postgres_server import PostgresServer
from tilebox_celery.embedded.server import Server
from tilebox_celery.embedded.state import State, Status, write_state
from tilebox_celery.embedded.users import UsersWatch
from tilebox_celery.embedded.valkey_server import ValkeyServer
from tilebox_celery.errors import EmbeddedStackError

START_SECONDS = 300.0
"""Recovery after a crash may have to read a gigabyte of log."""
_DEATHS = 3
_DEATHS_SECONDS = 15.0


class Supervisor:
    """The servers of one data directory, and when they shall stop."""

    def __init__(self, layout: Layout, lock: int) -> None:
        self.layout = layout
        self._lock = lock
        self.sockets = choose_socket_folder(layout)
        self.postgres = PostgresServer(layout, self.sockets)
        self.valkey = ValkeyServer(layout, self.sockets)
        self.users = UsersWatch(layout)
        self.servers: tuple[Server, Server] = (self.valkey, self.postgres)  # the slower one last: both start at once
        self._deaths: list[float] = []

    def start(self) -> None:
        """Make sure that both servers answer."""
        self._say("starting")
        for server in self.servers:
            server.start()
        self._await_valkey()
        self.postgres.await_ready(START_SECONDS)
        self._say("ready")

    def watch(self) -> None:
        """Return when the servers shall stop: asked to by a signal, or nobody has used them for the idle time."""
        signals = _signal_pipe()
        idle_since: float | None = None
        self.users.await_empty()
        while True:
            ready = self._poll(signals, None if idle_since is None else self.users.idle_stop / 4)
            if signals in ready:
                received = os.read(signals, 64)
                if signal.SIGTERM in received:
                    return
            if ready and (dead := self._dead_servers()):
                if self.users.is_empty() or not self._owns_home():
                    return
                self._restart(dead)
            if self.users.pipe in ready:
                os.read(self.users.pipe, 64)
                idle_since = time.monotonic()
            if idle_since is not None:
                if not self.users.is_empty():
                    idle_since = None
                    self.users.await_empty()
                elif self.users.was_visited():
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since >= self.users.idle_stop and self.users.shut_out():
                    return

    def stop(self) -> None:
        """Stop both servers."""
        if self.layout.supervisor_lock.exists() and not self._owns_home():
            for server in self.servers:
                server.kill()
            return
        with contextlib.suppress(OSError):  # the disk may be full, or the directory gone
            self._say("stopping")
        for server in self.servers:
            server.stop()
        if self.sockets != self.layout.run:
            with contextlib.suppress(OSError):
                self.sockets.rmdir()
        self.layout.state.unlink(missing_ok=True)

    def _poll(self, signals: int, seconds: float | None) -> set[int]:
        poller = select.poll()
        for descriptor in (signals, self.users.pipe, *(server.pidfd for server in self.servers)):
            if descriptor is not None:
                poller.register(descriptor, select.POLLIN)
        wait = None if seconds is None else min(max(seconds, 0.02), 1.0) * 1000
        return {descriptor for descriptor, _ in poller.poll(wait)}

    def _dead_servers(self) -> list[Server]:
        return [server for server in self.servers if server.has_ended() or not server.accepts_connections()]

    def _owns_home(self) -> bool:
        """Say whether the data directory is still ours: removed and made again it belongs to another supervisor."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self._lock), self.layout.supervisor_lock.stat())
        return False

    def _restart(self, dead: list[Server]) -> None:
        """Start again what has died, unless it keeps dying."""
        while dead:
            now = time.monotonic()
            self._deaths = [at for at in self._deaths if now - at < _DEATHS_SECONDS] + [now]
            for server in dead:
                log("server died", server=server.program, pid=server.pid)
                server.stop()
            if len(self._deaths) > _DEATHS:
                raise EmbeddedStackError(f"Servers died {len(self._deaths)} times in a row: see {self.layout.log}.")
            choose_socket_folder(self.layout)  # somebody may have cleaned /tmp
            try:
                self.start()
            except EmbeddedStackError as error:
                log("not started", error=error)
            dead = [server for server in self.servers if server.has_ended() or not server.is_ready()]

    def _await_valkey(self) -> None:
        try:
            self.valkey.await_ready(START_SECONDS)
        except EmbeddedStackError as error:
            if not self.valkey.has_ended() or "append" not in str(error):
                raise
            log("broker data set aside", error=error)
            self.valkey.stop()
            self.valkey.set_data_aside()
            self.valkey.start()
            self.valkey.await_ready(START_SECONDS)

    def _say(self, status: Status) -> None:
        log(status, postgres=self.postgres.pid, valkey=self.valkey.pid)
        write_state(
            self.layout,
            State(
                status=status,
                home=str(self.layout.home),
                sockets=str(self.sockets),
                supervisor=os.getpid(),
                postgres=self.postgres.pid,
                valkey=self.valkey.pid,
            ),
        )


def main(home: str) -> NoReturn:
    """Run the supervisor of a data directory, and say on standard output whether the servers are up."""
    if os.fork() > 0:
        os._exit(0)  # an orphan is nobody's child: no user has to reap it
    os.umask(0o077)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # a question before we can answer must not end us
    layout = layout_of(Path(home))
    try:
        make_folders(layout)
        _write_errors_to(layout.log / "supervisor.log")
        lock = open_lock(layout.supervisor_lock)
        if not try_record_lock(lock):
            _answer("busy")
            os._exit(0)
        supervisor = Supervisor(layout, lock)
        try:
            supervisor.start()
            _answer("ready")
            supervisor.watch()
        finally:
            supervisor.stop()
    except (EmbeddedStackError, OSError) as error:
        log("failed", error=error)
        _answer("failed", str(error))
        os._exit(1)
    except Exception as error:
        log("failed", error=traceback.format_exc())
        _answer("failed", f"The supervisor of the embedded servers failed: {error!r}.")
        os._exit(1)
    os._exit(0)  # the waiting thread may sit in the kernel for ever


def log(event: str, **fields: object) -> None:
    """Write one line to the supervisor's log."""
    text = "".join(f" {name}={value}" for name, value in fields.items() if value is not None)
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    sys.stderr.write(f"{now} UTC [{os.getpid()}] {event}{text}\n")
    sys.stderr.flush()


def _answer(status: str, error: str | None = None) -> None:
    with contextlib.suppress(OSError):  # who asked may have gone
        os.write(1, json.dumps({"status": status, "error": error}).encode())
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.close(nothing)


def _write_errors_to(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if os.fstat(descriptor).st_size > 1024 * 1024:
        os.ftruncate(descriptor, 0)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _signal_pipe() -> int:
    """Return a pipe that names each signal that arrives."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _noted)
    return reader


def _noted(number: int, frame: FrameType | None) -> None:
    """Do nothing: the number is in the pipe already."""


if __name__ == "__main__":
    main(sys.argv[1])
