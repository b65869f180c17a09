"""Tasks that the tests of the command line submit and run."""

import time
from pathlib import Path

from tilebox_celery.workflows import ExecutionContext, Task

HOSTILE = "\x1b[31mred [bold]bold[/bold] \x07\u202e"


class Greet(Task):
    """Does nothing with its name."""

    name: str
    times: int = 1

    def execute(self, context: ExecutionContext) -> None:
        """Show a name that steers terminals."""
        context.current_task.display = f"{HOSTILE} {self.name}"


class Fan(Task):
    """Has subtasks."""

    count: int

    def execute(self, context: ExecutionContext) -> None:
        """Submit them."""
        leaves = context.submit_subtasks([Leaf(number) for number in range(self.count)])
        context.submit_subtask(Leaf(-1), depends_on=leaves)


class Leaf(Task):
    """Ends at once."""

    number: int

    def execute(self, context: ExecutionContext) -> None:
        """Name itself."""
        context.current_task.display = f"Leaf({self.number})"


class Deeper(Task):
    """Submits itself."""

    depth: int

    def execute(self, context: ExecutionContext) -> None:
        """Go down."""
        if self.depth:
            context.submit_subtask(Deeper(self.depth - 1))


class Boom(Task):
    """Fails."""

    def execute(self, context: ExecutionContext) -> None:
        """Raise an error whose text steers terminals."""
        raise ValueError(f"boom {HOSTILE}")


class Linger(Task):
    """Runs until a file is there."""

    folder: str

    def execute(self, context: ExecutionContext) -> None:
        """Say that it runs, and wait."""
        Path(self.folder, "running").touch()
        while not Path(self.folder, "go").exists():
            time.sleep(0.01)
        Path(self.folder, "done").touch()
