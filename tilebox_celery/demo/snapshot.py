"""What the ledger knows about the job of the demo at one moment."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tilebox_celery.client.client import Client
from tilebox_celery.demo.workers import Worker
from tilebox_celery.model.job import Job, TaskView
from tilebox_celery.model.states import JobState, TaskState

FAILED, LOST = "failed", "lost"
"""Outcomes of attempts: the code raised; the process was killed."""


@dataclass(frozen=True)
class Stage:
    """One line of the tree of stages."""

    kind: str
    """Name of the task class."""
    parent: str | None
    """That of the tasks that submit it."""
    branch: str
    label: str


STAGES = (
    Stage("ProcessScene", None, "", "Process scene"),
    Stage("MosaicScene", "ProcessScene", "├─ ", "Mosaic"),
    Stage("ReadQuadrant", "MosaicScene", "│  ├─ ", "Quadrants"),
    Stage("MosaicStrip", "MosaicScene", "│  └─ ", "Strips"),
    Stage("ClassifyScene", "ProcessScene", "├─ ", "Classify"),
    Stage("ClassifyStrip", "ClassifyScene", "│  └─ ", "Strips"),
    Stage("ClassifyTile", "ClassifyStrip", "│     └─ ", "Tiles"),
    Stage("JoinScene", "ProcessScene", "└─ ", "Join"),
    Stage("WriteMosaic", "JoinScene", "   ├─ ", "GeoTIFF, bands"),
    Stage("WriteClasses", "JoinScene", "   ├─ ", "GeoTIFF, classes"),
    Stage("DrawPicture", "JoinScene", "   ├─ ", "Picture"),
    Stage("WriteReport", "JoinScene", "   └─ ", "Report"),
)


@dataclass(frozen=True)
class Snapshot:
    """State and tasks of a job."""

    state: JobState
    tasks: Sequence[TaskView]
    seconds: float = 0.0
    """From the first start of a task."""

    @property
    def failed_attempts(self) -> list[TaskView]:
        """Tasks whose code raised at least once."""
        return with_outcome(self.tasks, FAILED)

    @property
    def repeated(self) -> list[TaskView]:
        """Tasks that a killed process was running: they ran, or run, again."""
        return with_outcome(self.tasks, LOST)

    @property
    def uncomputed(self) -> list[TaskView]:
        """Tasks that have no result."""
        return [task for task in self.tasks if task.state is not TaskState.COMPUTED]

    def states(self, stage: Stage) -> Counter[TaskState]:
        """Count the tasks of a stage by state."""
        return Counter(task.state for task in self.tasks if kind(task) == stage.kind)

    def is_complete(self, stage: Stage) -> bool:
        """Say whether all tasks of a stage are computed, and none will join them."""
        states = self.states(stage)
        if not states or states[TaskState.COMPUTED] < states.total():
            return False
        return all(self.is_complete(above) for above in STAGES if above.kind == stage.parent)

    def retries(self, stage: Stage) -> int:
        """Count attempts of a stage that failed or were lost."""
        members = (task for task in self.tasks if kind(task) == stage.kind)
        return sum(attempt.outcome in (FAILED, LOST) for task in members for attempt in task.attempts)

    def running_on(self, worker: Worker) -> list[TaskView]:
        """Return what a worker runs."""
        return [task for task in self.tasks if task.state is TaskState.RUNNING and worker.runs(task)]


def take_snapshot(client: Client, job: Job) -> Snapshot:
    """Read the job and its tasks."""
    tasks = list(client.jobs().iter_tasks(job))
    now = client.jobs().find(job)  # after the tasks: a finished job then has the final state of all of them
    if now.state.is_terminal:
        tasks = list(client.jobs().iter_tasks(job))
    return Snapshot(now.state, tasks, now.execution_stats.elapsed.total_seconds())


def with_outcome(tasks: Iterable[TaskView], outcome: str) -> list[TaskView]:
    """Select the tasks that have an attempt which ended so."""
    return [task for task in tasks if any(attempt.outcome == outcome for attempt in task.attempts)]


def kind(task: TaskView) -> str:
    """Return the name of a task's class."""
    return task.identifier.name.rpartition("/")[2]
