"""A user's identifier that was sent by plain Celery becomes a job of one task."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tilebox_celery.ledger.control import Submission
from tilebox_celery.ledger.open import Ledger
from tilebox_celery.model.submission import SubtaskCollector, group_tasks
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
    ledger = Ledger(runner.ledger_url, runner.settings, broker_url=runner.broker_url, publish=runner.publish)
    try:
        collector = SubtaskCollector()
        future = collector.submit_subtask(cls(*args, **kwargs), cluster=runner.cluster)
        name = future.identifier.name
        job_id = new_job_id()
        ledger.control.submit(Submission(job_id, name, start_job_span(name), group_tasks(collector.futures)))
        return job_id
    finally:
        ledger.close()
