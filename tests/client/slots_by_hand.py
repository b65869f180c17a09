"""A slot in the hands of the test: it claims when the test says so, and holds its tasks as long as the test likes."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from tilebox_celery.ledger import runners
from tilebox_celery.ledger.calls import NOTHING, Answer, ClaimedTask, Finished, SlotCalls, Wish, new_claim_id
from tilebox_celery.ledger.routes import RouteIds
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.submission import SubtaskCollector, group_tasks
from tilebox_celery.model.task import Task
from tilebox_celery.postgres.connection import Connection


class Slot:
    """One slot of a runner of its own."""

    def __init__(self, connection: Connection, cluster: str, tasks: Sequence[str], name: str) -> None:
        self.connection = connection
        self.cluster = cluster
        self.runner_id = runners.register_runner(
            connection,
            cluster,
            [TaskIdentifier.parse(task) for task in tasks],
            name=name,
            host="testhost",
            pid=1,
            code_version="0",
            wake_by="none",
            slots=1,
        )
        self.slot_id = runners.register_slot(connection, self.runner_id, 0, 1, timedelta(seconds=30), busy=True)
        self.calls = SlotCalls(connection, self.slot_id)
        self.claim_id = new_claim_id()

    def claim(self) -> ClaimedTask:
        """Claim one task."""
        self.claim_id = new_claim_id()
        answer = self.calls.claim(Wish(self.claim_id, 0, 1, 1, (), ()))
        assert answer.tasks, "nothing is runnable here"
        return answer.tasks[0]

    def compute(
        self, task: ClaimedTask, subtasks: SubtaskCollector | None = None, display: str | None = None
    ) -> Answer:
        """End a task well, with what it submitted."""
        report = _report(task, display)
        if subtasks is not None:
            batch = group_tasks(subtasks.futures)
            report.has_subtasks = [True]
            report.family.add(batch, RouteIds().of_batch(self.connection, batch, self.cluster))
        return self.calls.advance(self.claim_id, report, NOTHING)

    def fail(self, task: ClaimedTask, error: str, wait_seconds: float = 0) -> Answer:
        """End a task badly."""
        return self.calls.fail(self.claim_id, _report(task, None), [error], [int(wait_seconds * 1e6)], [False])


def _report(task: ClaimedTask, display: str | None) -> Finished:
    return Finished([task.job_id], [task.id], [1000], [250_000], [100_000], [50_000_000], [display], [None], [False])


MakeSlot = Callable[..., Slot]


def subtasks(*tasks: Task) -> SubtaskCollector:
    """Submit siblings, as `execute` would."""
    collector = SubtaskCollector()
    collector.submit_subtasks(tasks)
    return collector
