"""Find, watch and end processes without ever meaning a stranger who got the same pid."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def processes_in(place: os.stat_result, program: str) -> list[int]:
    """Return the pids of a program that have this folder as working directory, as our servers have their data."""
    found = []
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            if os.path.samestat(Path(f"/proc/{pid}/cwd").stat(), place) and _program_of(pid) == program:
                found.append(pid)
    return found


def processes_in_removed(folder: Path, program: str) -> list[int]:
    """Return the pids of a program that work in a folder which had this path and was removed."""
    found = []
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            if str(Path(f"/proc/{pid}/cwd").readlink()) == f"{folder} (deleted)" and _program_of(pid) == program:
                found.append(pid)
    return found


def main_process_in(folder: Path, program: str) -> int | None:
    """Return the one process of a program in this folder that none of the others started, if it is alone in that."""
    roots = []
    try:
        pids = processes_in(folder.stat(), program)
    except FileNotFoundError:
        return None
    for pid in pids:
        with contextlib.suppress(OSError):
            if _parent_of(pid) not in pids:
                roots.append(pid)
    return roots[0] if len(roots) == 1 else None


def processes_with_open(path: Path) -> list[int]:
    """Return the pids that have this file open."""
    found = []
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            if any(entry.readlink() == path for entry in Path(f"/proc/{pid}/fd").iterdir()):
                found.append(pid)
    return found


def open_process(pid: int) -> int | None:
    """Return a pidfd, or None if there is no such process."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def ended_within(pidfd: int, seconds: float) -> bool:
    """Wait until the process has ended, and say whether that was in time."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(max(seconds, 0) * 1000))


def send_signal(pidfd: int, number: signal.Signals) -> None:
    """Send a signal to exactly this process, if it still lives."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


def end_processes(find: Callable[[], list[int]]) -> int:
    """Kill every process that is found, wait until none is found any more, and return how many there were."""
    count = 0
    deadline = time.monotonic() + 10
    while (pids := find()) and time.monotonic() < deadline:
        for pid in pids:
            if (pidfd := open_process(pid)) is not None:
                send_signal(pidfd, signal.SIGKILL)
                count += ended_within(pidfd, 5)
                os.close(pidfd)
    return count


def _all_pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal())


def _program_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _parent_of(pid: int) -> int:
    # The name in parentheses may hold spaces, so count from its end.
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
