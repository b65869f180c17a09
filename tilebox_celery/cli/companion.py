"""A small process beside ``dev``: it keeps Flower, and ends ``dev`` when somebody has stopped the embedded servers.

A thread would not survive the forks of a worker well. Started as ``python -m tilebox_celery.cli.companion`` with a JSON
order as first line of stdin; it ends when stdin does, or its parent.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_LOOK_MS = 1000
_END_SECONDS = 10
_STOPPED = 3
"""Exit code: the servers were stopped, and the parent was told to end."""
_FLOWER = ["-m", "tilebox_celery.cli.main", "flower"]


class Companion:
    """The process, as its parent sees it.

    Args:
        home: Data directory of the embedded servers to watch; None watches none.
        flower: Keep Flower running.
    """

    def __init__(self, home: Path | None, *, flower: bool) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tilebox_celery.cli.companion"],
            stdin=subprocess.PIPE,
            stdout=2,  # the parent's stdout is for JSON
            start_new_session=True,
            text=True,
        )
        assert self._process.stdin is not None, "it was asked for"
        order = {"pid": os.getpid(), "home": None if home is None else str(home), "flower": flower}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def end(self) -> bool:
        """End it, and say whether it ended this process because the servers were stopped."""
        assert self._process.stdin is not None, "it was asked for"
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            return self._process.wait(_END_SECONDS) == _STOPPED
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait() == _STOPPED


@contextmanager
def _flower(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    flower = subprocess.Popen([sys.executable, *_FLOWER], stdin=subprocess.DEVNULL)  # noqa: S603  # this very program
    try:
        yield
    finally:
        flower.terminate()
        try:
            flower.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            flower.kill()


def _watch(home: str | None, parent: int) -> bool:
    """Return True when the servers were stopped, and False when the parent goes."""
    from tilebox_celery.embedded.layout import layout_of
    from tilebox_celery.embedded.locks import record_lock_holder

    layout = None if home is None else layout_of(Path(home))
    poller = select.poll()
    poller.register(0, select.POLLIN | select.POLLHUP)
    poller.register(parent, select.POLLIN)
    while not poller.poll(_LOOK_MS):
        with contextlib.suppress(OSError):
            # A supervisor that was killed leaves its state; one that was told to stop removes it at the end.
            if layout is not None and record_lock_holder(layout.supervisor_lock) is None and not layout.state.exists():
                return True
    return False


def main() -> int:
    """Do what stdin says."""
    order: dict[str, Any] = json.loads(os.read(0, 65536))
    try:
        parent = os.pidfd_open(order["pid"])
    except ProcessLookupError:
        return 0
    if os.getppid() != order["pid"]:
        return 0
    with _flower(order["flower"]):
        stopped = _watch(order["home"], parent)
    if stopped:
        signal.pidfd_send_signal(parent, signal.SIGTERM)
    return _STOPPED if stopped else 0


if __name__ == "__main__":
    sys.exit(main())
