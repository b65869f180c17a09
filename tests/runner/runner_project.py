"""Tasks that leave a line for each thing they do, and the runners that a user would write for them.

``python runner_project.py all`` and ``forever`` run in this process; ``celery -A runner_project:app worker`` works too.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from tilebox_celery.workflows import Client, ExecutionContext, Task
from tilebox_celery.workflows.cache import InMemoryCache


def leave(line: str) -> None:
    """Append a line in one write, which no other process can split."""
    fd = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{line}\n".encode())
    os.close(fd)


class Line(Task):
    """Leaves a line at its start and one at its end."""

    name: str
    seconds: float = 0.0

    def execute(self, context: ExecutionContext) -> None:
        leave(f"start {self.name} {os.getpid()}")
        time.sleep(self.seconds)
        leave(f"end {self.name} {os.getpid()}")


class Lines(Task):
    """Many lines."""

    count: int
    seconds: float = 0.0
    max_subtasks: ClassVar[int | None] = None

    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtasks([Line(str(i), self.seconds) for i in range(self.count)])


class Meet(Task):
    """Ends only when as many processes have come as were asked for."""

    count: int

    def execute(self, context: ExecutionContext) -> None:
        leave(f"meet {os.getpid()}")
        deadline = time.monotonic() + 60
        while Path(os.environ["EFFECTS"]).read_text().count("meet") < self.count:
            assert time.monotonic() < deadline, "nobody came"
            time.sleep(0.02)
        leave(f"met {os.getpid()}")


class Wait(Task):
    """Runs until the test lets it go."""

    def execute(self, context: ExecutionContext) -> None:
        leave("start wait")
        while not Path(os.environ["EFFECTS"] + ".go").exists():
            time.sleep(0.02)
        leave("end wait")


class Dies(Task):
    """Kills its process."""

    def execute(self, context: ExecutionContext) -> None:
        leave("dies")
        os.kill(os.getpid(), signal.SIGKILL)


TASKS: list[type[Task]] = [Line, Lines, Meet, Wait, Dies]


def __getattr__(name: str) -> Any:
    """Make the app when Celery asks for it."""
    if name == "app":
        return Client().runner(tasks=TASKS).celery_app
    raise AttributeError(name)


def main() -> None:
    """Run as the command line says."""
    runner = Client().runner(tasks=TASKS, cache=InMemoryCache())
    match sys.argv[1]:
        case "all":
            runner.run_all()
        case "forever":
            runner.run_forever()
        case "prefork":
            runner.run_forever(pool="prefork", concurrency=2)


if __name__ == "__main__":
    main()
