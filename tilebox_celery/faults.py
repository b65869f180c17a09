"""Seams where a test may kill, stop or delay a process: ``TILEBOX_CELERY_FAULT=point:nth:action``.

Points: before_claim, after_claim, last_user_line, before_commit, inside_commit, after_commit, before_wake_up.
Actions: kill, stop, term, quit, int, raise, exit, sleep=SECONDS. Several faults are separated by commas. With the
variable unset, a seam costs one ``is None``. With TILEBOX_CELERY_FAULT_DIR set to a directory, each fault acts once
over all processes that share it.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tilebox_celery.errors import ArgumentError

POINTS = (
    "before_claim",
    "after_claim",
    "last_user_line",
    "before_commit",
    "inside_commit",
    "after_commit",
    "before_wake_up",
)
SIGNALS = {
    "kill": signal.SIGKILL,
    "stop": signal.SIGSTOP,
    "term": signal.SIGTERM,
    "quit": signal.SIGQUIT,
    "int": signal.SIGINT,
}


class InjectedFault(Exception):
    """Raised by the action ``raise``."""


class FaultPlan:
    """Counts how often each point is reached and acts when its turn has come."""

    def __init__(self, text: str) -> None:
        self._rules: list[tuple[str, int, str]] = []
        self._seen: dict[str, int] = {}
        self._folder = os.environ.get("TILEBOX_CELERY_FAULT_DIR")
        for part in filter(None, text.split(",")):
            point, _, rest = part.partition(":")
            nth, _, action = rest.partition(":")
            if point not in POINTS or not nth.isdecimal() or not _is_action(action):
                raise ArgumentError(f"TILEBOX_CELERY_FAULT has '{part}', but must be point:nth:action.")
            self._rules.append((point, int(nth), action))

    def __call__(self, point: str) -> None:
        """Note that a point was reached, and do what the plan says."""
        self._seen[point] = count = self._seen.get(point, 0) + 1
        for name, nth, action in self._rules:
            if (
                name == point
                and nth <= count
                and (nth == count or self._folder)
                and self._is_mine(f"{name}:{nth}:{action}")
            ):
                _act(action)

    def _is_mine(self, rule: str) -> bool:
        if not self._folder:
            return True
        try:
            (Path(self._folder) / rule.replace("/", "_")).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def wants(self, point: str) -> bool:
        """Tell whether the plan has a rule for a point."""
        return any(name == point for name, _, _ in self._rules)


def _is_action(action: str) -> bool:
    return action in SIGNALS or action in ("raise", "exit") or action.startswith("sleep=")


def _act(action: str) -> None:
    if action in SIGNALS:
        os.kill(os.getpid(), SIGNALS[action])
    elif action == "exit":
        os._exit(1)
    elif action == "raise":
        raise InjectedFault("an injected fault")
    else:
        time.sleep(float(action.partition("=")[2]))


def _load() -> FaultPlan | None:
    text = os.environ.get("TILEBOX_CELERY_FAULT")
    return FaultPlan(text) if text else None


seam: Callable[[str], None] | None = _load()
"""Call it as ``if faults.seam is not None: faults.seam("after_claim")``."""


def _load_crashes() -> frozenset[tuple[str, int]] | None:
    text = os.environ.get("TILEBOX_CELERY_CRASH")
    if not text:
        return None
    rules = [rule.rpartition(":") for rule in text.split(",") if rule]
    return frozenset((name, int(attempt)) for name, _, attempt in rules)


crashes: frozenset[tuple[str, int]] | None = _load_crashes()
"""Attempts (identifier name, number) whose process kills itself; ``TILEBOX_CELERY_CRASH=Tile:2``."""


def crash_if_chosen(name: str, attempt: int) -> None:
    """Kill this process if this attempt was chosen."""
    if crashes is not None and (name, attempt) in crashes:
        os.kill(os.getpid(), signal.SIGKILL)
