"""What tasks write down while they run in the process of the test, and the tree of their states."""

from collections.abc import Iterator
from typing import ClassVar

from tilebox_celery.model.job import Attempt, Job, TaskView
from tilebox_celery.workflows import Client, ExecutionContext, Task


class Diary:
    """Lines in the order in which tasks wrote them."""

    lines: ClassVar[list[str]] = []

    @classmethod
    def write(cls, line: str) -> None:
        """Add a line."""
        cls.lines.append(line)


class Step(Task):
    """Writes its name."""

    name: str

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = self.name
        Diary.write(self.name)


class Failing(Task):
    """Writes its name and fails, as long as the number of its attempt is not above ``times``."""

    name: str
    times: int = 1_000

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = self.name
        Diary.write(self.name)
        if context.current_task.attempt <= self.times:
            raise ValueError(f"{self.name} had enough")


class Parent(Task):
    """Submits steps that nobody waits for."""

    names: list[str]

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = "parent"
        Diary.write("parent")
        context.submit_subtasks([Step(name) for name in self.names])


def all_tasks(client: Client, job: Job) -> Iterator[TaskView]:
    """Give every task of a job, parents first."""
    return client.jobs().iter_tasks(job)


def states(client: Client, job: Job) -> dict[str, str]:
    """Return the state of each task of a job by its display."""
    return {task.display: str(task.state) for task in all_tasks(client, job)}


def attempts(client: Client, job: Job) -> list[Attempt]:
    """Return the attempts of a job's only task."""
    (task,) = all_tasks(client, job)
    return task.attempts
