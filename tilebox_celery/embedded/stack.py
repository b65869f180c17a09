"""Start, share and stop the embedded servers: what the rest of the package calls."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from tilebox_celery.embedded.binaries import check_installed
from tilebox_celery.embedded.layout import POSTGRES_SOCKET, VALKEY_SOCKET, Layout, layout_of, make_folders
from tilebox_celery.embedded.locks import flock_within, open_lock, record_lock_holder, try_flock
from tilebox_celery.embedded.processes import ended_within, open_process, processes_with_open, send_signal
from tilebox_celery.embedded.server import can_connect
from tilebox_celery.embedded.state import State, read_state
from tilebox_celery.errors import EmbeddedStackError

_START_SECONDS = 330.0  # a little more than the supervisor gives the servers
_STOP_SECONDS = 60.0
_PACKAGES = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Stack:
    """The embedded servers of one data directory, as clients reach them."""

    ledger_url: str
    """For psycopg and SQLAlchemy."""
    broker_url: str
    """For kombu and Celery."""
    home: Path


@dataclass(frozen=True)
class StackStatus:
    """What runs in one data directory."""

    home: Path
    running: bool
    ledger_url: str | None
    broker_url: str | None
    supervisor_pid: int | None
    postgres_pid: int | None
    valkey_pid: int | None
    user_pids: tuple[int, ...]
    """Processes that keep the servers up."""
    postgres_bytes: int
    valkey_bytes: int


def start(home: Path, idle_stop: timedelta = timedelta(seconds=60)) -> Stack:
    """Make sure that both servers run in a data directory, and count this process among their users.

    Call it as often as you like: when the servers run already it costs well under a millisecond. The servers stay up
    for as long as this process or a child that it forked lives, and ``idle_stop`` beyond that.

    Args:
        home: The data directory; it is created with mode 0700.
        idle_stop: How long the servers stay up after their last user; the last process to come decides.

    Returns:
        The URLs of both servers.

    Raises:
        EmbeddedStackError: The servers cannot run here; the message says why and what to do.

    Example:
        >>> stack = start(default_home())  # doctest: +SKIP
        >>> psycopg.connect(stack.ledger_url)  # doctest: +SKIP
    """
    layout = layout_of(home)
    with _in_this_process:
        if not layout.run.is_dir():
            check_installed()
        make_folders(layout)
        joined = _join(layout, idle_stop)
        try:
            state = _ready_state(layout) or _start_servers(layout)
        except BaseException:
            if joined:
                _leave(layout)
            raise
    return _stack(state)


def leave() -> None:
    """Stop being a user; the kernel does the same when this process ends, however it ends."""
    with _in_this_process:
        for home in list(_joined):
            _leave(Layout(home))


def down(home: Path) -> bool:
    """Stop both servers at once, whoever uses them.

    Returns:
        Whether anything was running.

    Raises:
        EmbeddedStackError: They cannot be stopped from here.
    """
    layout = layout_of(home)
    if not layout.run.is_dir():
        return False
    lock = open_lock(layout.start_lock)
    try:
        if not flock_within(lock, _STOP_SECONDS):
            raise EmbeddedStackError(f"Another process has been starting {home} for a minute: end it first.")
        pid = record_lock_holder(layout.supervisor_lock)
        if pid is not None:
            _end_supervisor(layout, pid)
        # Servers whose supervisor was killed are still there.
        return _stop_orphans(layout) or pid is not None
    finally:
        os.close(lock)


def status(home: Path) -> StackStatus:
    """Return what runs in a data directory, changing nothing."""
    layout = layout_of(home)
    state = _ready_state(layout)
    stack = _stack(state) if state else None
    supervisor = record_lock_holder(layout.supervisor_lock)
    users = processes_with_open(layout.users_lock)
    if layout.home in _joined:
        users.append(os.getpid())
    return StackStatus(
        home=layout.home,
        running=state is not None,
        ledger_url=stack.ledger_url if stack else None,
        broker_url=stack.broker_url if stack else None,
        supervisor_pid=supervisor,
        postgres_pid=state.postgres if state else None,
        valkey_pid=state.valkey if state else None,
        user_pids=tuple(sorted(pid for pid in users if pid != supervisor)),
        postgres_bytes=_size_bytes(layout.postgres),
        valkey_bytes=_size_bytes(layout.valkey),
    )


# --- Users: each holds a shared lock on one file, which the kernel drops with its last holder -------------------------

_joined: dict[Path, int] = {}
_in_this_process = threading.Lock()


def _after_fork() -> None:
    global _in_this_process  # another thread of the parent may have held it
    _in_this_process = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _join(layout: Layout, idle_stop: timedelta) -> bool:
    """Count this process as a user; False if it is one already."""
    descriptor = _joined.get(layout.home)
    if descriptor is not None:
        with contextlib.suppress(OSError):  # a daemon may have closed all files, and the directory may be a new one
            if os.path.samestat(os.fstat(descriptor), os.stat(layout.users_lock)):  # noqa: PTH116  # as cheap as can be
                return False
        del _joined[layout.home]
    descriptor = open_lock(layout.users_lock)
    if not flock_within(descriptor, _STOP_SECONDS, shared=True):
        os.close(descriptor)
        raise EmbeddedStackError(f"The servers in {layout.home} have been stopping for a minute: see {layout.log}.")
    os.pwrite(descriptor, f"{idle_stop.total_seconds():<20}".encode(), 0)
    _joined[layout.home] = descriptor
    return True


def _leave(layout: Layout) -> None:
    # Closed, not unlocked: a child made by fork shares the lock, and may still use the servers.
    os.close(_joined.pop(layout.home))


# --- The supervisor: one process owns starting, restarting and stopping ----------------------------------------------


def _ready_state(layout: Layout) -> State | None:
    """Return the state if the servers can be used now."""
    state = read_state(layout)
    if state is None or state.status != "ready" or state.home != str(layout.home):
        return None
    if record_lock_holder(layout.supervisor_lock) is None:
        return None
    sockets = Path(state.sockets)
    return state if can_connect(sockets / VALKEY_SOCKET) and can_connect(sockets / POSTGRES_SOCKET) else None


def _start_servers(layout: Layout) -> State:
    """Wait until the servers are ready, starting a supervisor if there is none."""
    check_installed()
    deadline = time.monotonic() + _START_SECONDS
    doubts = time.monotonic() + 1
    lock = open_lock(layout.start_lock)
    try:
        while time.monotonic() < deadline:
            if state := _ready_state(layout):
                return state
            pid = record_lock_holder(layout.supervisor_lock)
            if pid is None and try_flock(lock):
                if record_lock_holder(layout.supervisor_lock) is None:
                    layout.state.unlink(missing_ok=True)  # of a dead supervisor: nobody may believe it
                    _spawn_supervisor(layout, deadline)
                os.close(lock)
                lock = open_lock(layout.start_lock)
                continue
            if pid and time.monotonic() > doubts:
                _question_supervisor(layout, pid)
                doubts = time.monotonic() + 5
            time.sleep(0.01)
    finally:
        os.close(lock)
    raise EmbeddedStackError(
        f"The servers in {layout.home} did not start within {_START_SECONDS:.0f} s: see {layout.log}."
    )


def _spawn_supervisor(layout: Layout, deadline: float) -> None:
    """Start a supervisor and wait for its answer; no answer means that it was killed, and is not an error."""
    path = os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(  # noqa: S603  # this very package
        [sys.executable, "-P", "-m", "tilebox_celery.embedded.supervisor", str(layout.home)],
        cwd="/",
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stderr is not None, "both are pipes"  # noqa: PT018
    with process.stdout, process.stderr:
        poller = select.poll()
        poller.register(process.stdout, select.POLLIN)
        poller.poll(max(deadline - time.monotonic(), 0) * 1000)
        os.set_blocking(process.stdout.fileno(), False)
        answer = process.stdout.read()
        if process.wait() != 0:
            raise EmbeddedStackError(
                f"The supervisor did not start: {process.stderr.read().decode(errors='replace')[-500:]}"
            )
    if answer and (error := json.loads(answer)["error"]):
        raise EmbeddedStackError(error)


def _question_supervisor(layout: Layout, pid: int) -> None:
    """Make a supervisor look again that says all is well: sockets may be gone, or the directory may have moved."""
    state = read_state(layout)
    if state is None or state.status != "ready":
        return
    if state.home != str(layout.home):
        _end_supervisor(layout, pid)
    elif (pidfd := open_process(pid)) is not None:
        send_signal(pidfd, signal.SIGUSR1)
        os.close(pidfd)


def _end_supervisor(layout: Layout, pid: int) -> None:
    pidfd = open_process(pid) if pid else None
    if pidfd is None:
        if record_lock_holder(layout.supervisor_lock) is None:
            return
        raise EmbeddedStackError(f"The servers in {layout.home} run in another container: stop them there.")
    try:
        send_signal(pidfd, signal.SIGTERM)
        if not ended_within(pidfd, _STOP_SECONDS):
            raise EmbeddedStackError(f"The servers in {layout.home} did not stop within a minute: see {layout.log}.")
    finally:
        os.close(pidfd)


def _stop_orphans(layout: Layout) -> bool:
    from tilebox_celery.embedded.postgres_server import PostgresServer
    from tilebox_celery.embedded.valkey_server import ValkeyServer

    state = read_state(layout)
    sockets = Path(state.sockets) if state else layout.run
    stopped = [server.stop() for server in (ValkeyServer(layout, sockets), PostgresServer(layout, sockets))]
    layout.state.unlink(missing_ok=True)
    return any(stopped)


def _stack(state: State) -> Stack:
    sockets = quote(state.sockets)
    return Stack(
        ledger_url=f"postgresql://postgres@/tilebox?host={sockets}",
        broker_url=f"redis+socket://{sockets}/{VALKEY_SOCKET}",
        home=Path(state.home),
    )


def _size_bytes(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{path}/{name}").st_blocks * 512  # thousands of files
    return total
