"""Start, question and end the supervisor of a data directory, from any process that uses it."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from tilebox_celery.embedded.binaries import check_installed
from tilebox_celery.embedded.layout import POSTGRES_SOCKET, VALKEY_SOCKET, Layout
from tilebox_celery.embedded.locks import flock_within, open_lock, record_lock_holder, try_flock
from tilebox_celery.embedded.processes import ended_within, open_process, send_signal
from tilebox_celery.embedded.server import can_connect
from tilebox_celery.embedded.state import State, read_state
from tilebox_celery.errors import EmbeddedStackError

_START_SECONDS = 330.0  # a little more than the supervisor gives the servers
_STOP_SECONDS = 60.0
_ATTEMPTS = 5
_DOUBT_SECONDS = 1.0
_PACKAGES = Path(__file__).resolve().parents[2]


def ready_state(layout: Layout) -> State | None:
    """Return what the supervisor says, if it lives and both servers take connections."""
    state = read_state(layout)
    if state is None or state.status != "ready" or state.home != str(layout.home):
        return None
    if record_lock_holder(layout.supervisor_lock) is None:
        return None
    sockets = Path(state.sockets)
    return state if can_connect(sockets / VALKEY_SOCKET) and can_connect(sockets / POSTGRES_SOCKET) else None


def await_servers(layout: Layout) -> State:
    """Wait until the servers are ready, starting a supervisor if there is none.

    Raises:
        EmbeddedStackError: They cannot be started.
    """
    check_installed()
    begin = time.monotonic()
    doubts = begin + _DOUBT_SECONDS
    attempts, pause = 0, 0.005
    while time.monotonic() < begin + _START_SECONDS:
        if state := ready_state(layout):
            return state
        pid = record_lock_holder(layout.supervisor_lock)
        if pid is None and attempts < _ATTEMPTS:
            attempts += _try_to_spawn(layout)
        elif pid is None:
            raise EmbeddedStackError(f"The supervisor of {layout.home} died {_ATTEMPTS} times: see {layout.log}.")
        elif time.monotonic() > doubts:
            _question_supervisor(layout, pid)
            doubts = time.monotonic() + 5 * _DOUBT_SECONDS
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)  # fifty waiting processes leave the cores to the servers
    raise EmbeddedStackError(
        f"The servers in {layout.home} did not start within {_START_SECONDS:.0f} s: see {layout.log}."
    )


def stop_servers(layout: Layout) -> bool:
    """Stop both servers at once, whoever uses them, and say whether anything ran.

    Raises:
        EmbeddedStackError: They cannot be stopped from here.
    """
    lock = open_lock(layout.start_lock)
    try:
        if not flock_within(lock, _STOP_SECONDS):
            raise EmbeddedStackError(f"Another process has been starting {layout.home} for a minute: end it first.")
        pid = record_lock_holder(layout.supervisor_lock)
        if pid is not None:
            _end_supervisor(layout, pid)
        return _stop_orphans(layout) or pid is not None
    finally:
        os.close(lock)


def _try_to_spawn(layout: Layout) -> bool:
    """Start a supervisor unless another process is just doing that, and say whether it was tried."""
    lock = open_lock(layout.start_lock)
    try:
        if not try_flock(lock) or record_lock_holder(layout.supervisor_lock) is not None:
            return False
        layout.state.unlink(missing_ok=True)  # of a dead supervisor: nobody may believe it
        _spawn_supervisor(layout)
        return True
    finally:
        os.close(lock)


def _spawn_supervisor(layout: Layout) -> None:
    """Start a supervisor and wait for its answer; none means that it was killed or was not needed."""
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
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        poller = select.poll()
        poller.register(process.stdout, select.POLLIN)
        poller.poll(_START_SECONDS * 1000)
        os.set_blocking(process.stdout.fileno(), False)
        answer = process.stdout.read()
        if process.wait() != 0:
            reason = process.stderr.read().decode(errors="replace").strip()[-500:]
            raise EmbeddedStackError(f"The supervisor of {layout.home} did not start: {reason}")
    if answer and (error := json.loads(answer)["error"]):
        raise EmbeddedStackError(error)


def _question_supervisor(layout: Layout, pid: int) -> None:
    """Make a supervisor look again that says all is well: a socket may be gone, or the directory may have moved."""
    state = read_state(layout)
    if state is None or state.status != "ready":
        return
    if state.home != str(layout.home):
        _end_supervisor(layout, pid)
    elif pid and (pidfd := open_process(pid)) is not None:
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
    """Stop servers whose supervisor was killed."""
    from tilebox_celery.embedded.postgres_server import PostgresServer
    from tilebox_celery.embedded.valkey_server import ValkeyServer

    state = read_state(layout)
    sockets = Path(state.sockets) if state else layout.run
    stopped = [server.stop() for server in (ValkeyServer(layout, sockets), PostgresServer(layout, sockets))]
    layout.state.unlink(missing_ok=True)
    if sockets != layout.run:
        with contextlib.suppress(OSError):
            sockets.rmdir()
    return any(stopped)
