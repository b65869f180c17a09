"""Kill the process that runs a chosen attempt of a chosen task."""

import os

from tilebox_celery.errors import ArgumentError

VARIABLE = "TILEBOX_CELERY_CRASH"


class Crash:
    """Chooses attempts whose process is killed with SIGKILL before their first line, in workers started later.

    Example:
        crash = Crash()
        crash(on="Tile", attempt=2)  # the second attempt of each Tile
        ...  # start a worker process, submit a job
        crash.clear()
    """

    def __call__(self, *, on: str, attempt: int = 1) -> None:
        """Choose an attempt.

        Args:
            on: Name of the task's identifier.
            attempt: Which attempt, from 1.

        Raises:
            ArgumentError: The name or the number cannot be.
        """
        if not on or ":" in on or "," in on or attempt < 1:
            raise ArgumentError(f"crash(on={on!r}, attempt={attempt}) names no attempt of a task.")
        rules = [rule for rule in os.environ.get(VARIABLE, "").split(",") if rule]
        os.environ[VARIABLE] = ",".join([*rules, f"{on}:{attempt}"])

    def clear(self) -> None:
        """Choose none."""
        os.environ.pop(VARIABLE, None)
