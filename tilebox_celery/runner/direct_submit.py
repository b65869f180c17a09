"""A user's identifier that was sent by plain Celery becomes a job of one task."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tilebox_celery.ledger.control import Submission
from tilebox_celery.ledger.open import Ledger
from tilebox_celery.model.submission import SubtaskCollector, TaskBatch, group_tasks
from tilebox_celery.model.task import Task
from tilebox_celery.model.task_ids import new_job_id
from tilebox_celery.observability.tracing import start_job_span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tilebox_celery.runner.task_runner import TaskRunner


def submit_directly(runner: "TaskRunner", cls: type[Task], args: "Sequence[Any]", kwargs: "Mapping[str, Any]") -> UUID:
    """Submit a job with one task and return its id.

    Args:
        runner: In whose cluster it runs.
        cls: The task class.
        args: Positional fields.
        kwargs: Fields by name.

    Raises:
        TypeError: The arguments are not the fields of the class.
    """
    collector = SubtaskCollector()
    future = collector.submit_subtask(cls(*args, **kwargs), cluster=runner.cluster)
    return _submit(runner, future.identifier.name, group_tasks(collector.futures))


def submit_call(runner: "TaskRunner", task: Any, args: "Sequence[Any]", kwargs: "Mapping[str, Any]") -> UUID:
    """Submit a job with one call of a plain Celery task and return its id.

    Args:
        runner: In whose cluster it runs.
        task: The Celery task.
        args: Its arguments.
        kwargs: Its arguments by name.

    Raises:
        CanvasError: The arguments are not those of the task.
    """
    from tilebox_celery.dispatch.canvas import plan_canvas

    plan = plan_canvas(task.signature(args, kwargs))
    return _submit(runner, task.name, plan.batch(runner.cluster), plan.shape)


def _submit(runner: "TaskRunner", name: str, batch: TaskBatch, canvas: "Mapping[str, Any] | None" = None) -> UUID:
    ledger = Ledger(runner.ledger_url, runner.settings, broker_url=runner.broker_url, publish=runner.publish)
    try:
        job_id = new_job_id()
        ledger.control.submit(Submission(job_id, name, start_job_span(name), batch, canvas))
        return job_id
    finally:
        ledger.close()
