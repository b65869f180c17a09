"""Start, share, stop and look at the embedded servers: what the rest of the package calls."""

import contextlib
import os
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from tilebox_celery.embedded.binaries import check_installed
from tilebox_celery.embedded.control import await_servers, ready_state, stop_servers
from tilebox_celery.embedded.layout import VALKEY_SOCKET, layout_of, make_folders, using
from tilebox_celery.embedded.locks import record_lock_holder
from tilebox_celery.embedded.processes import processes_with_open
from tilebox_celery.embedded.state import State
from tilebox_celery.embedded.users import join, leave_all, leave_one


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
    """Both servers take connections, and their supervisor watches them."""
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

    Call it as often as you like: where the servers run already it takes well under a millisecond. They stay up for as
    long as this process or a child that it forked lives, and ``idle_stop`` beyond that.

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
    with _in_this_process, using(layout):
        if not layout.run.is_dir():
            check_installed()
        make_folders(layout)
        is_new = join(layout, idle_stop)
        try:
            state = ready_state(layout) or await_servers(layout)
        except BaseException:
            if is_new:
                leave_one(layout)
            raise
    return _stack(state)


def leave() -> None:
    """Stop being a user now; the kernel does the same when this process ends, however it ends."""
    with _in_this_process:
        leave_all()


def down(home: Path) -> bool:
    """Stop both servers at once, whoever uses them.

    Returns:
        Whether anything was running.

    Raises:
        EmbeddedStackError: They cannot be stopped from here.
    """
    layout = layout_of(home)
    with using(layout):
        return layout.run.is_dir() and stop_servers(layout)


def status(home: Path) -> StackStatus:
    """Return what runs in a data directory, changing nothing.

    Raises:
        EmbeddedStackError: It cannot be looked at.
    """
    from tilebox_celery.embedded.postgres_server import PostgresServer
    from tilebox_celery.embedded.valkey_server import ValkeyServer

    layout = layout_of(home)
    with using(layout):
        state = ready_state(layout)
        stack = _stack(state) if state else None
        supervisor = record_lock_holder(layout.supervisor_lock)
        users = processes_with_open(layout.users_lock)
        return StackStatus(
            home=layout.home,
            running=state is not None,
            ledger_url=stack.ledger_url if stack else None,
            broker_url=stack.broker_url if stack else None,
            supervisor_pid=supervisor,
            postgres_pid=PostgresServer(layout, layout.run).find_main_process(),
            valkey_pid=ValkeyServer(layout, layout.run).find_main_process(),
            user_pids=tuple(sorted(pid for pid in users if pid != supervisor)),
            postgres_bytes=_size_bytes(layout.postgres),
            valkey_bytes=_size_bytes(layout.valkey),
        )


_in_this_process = threading.Lock()


def _after_fork() -> None:
    global _in_this_process  # another thread of the parent may have held it
    _in_this_process = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


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
                total += os.lstat(f"{path}/{name}").st_blocks * 512  # strings: there are thousands
    return total
