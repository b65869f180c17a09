"""A user's identifier that was sent by plain Celery becomes a job of one task."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tilebox_celery.errors import CanvasError, TaskNotRegistered
from tilebox_celery.ledger.control import Submission
from tilebox_celery.model.submission import SubtaskCollector, TaskBatch, group_tasks
from tilebox_celery.model.task_ids import new_job_id
from tilebox_celery.observability.tracing import start_job_span
from tilebox_celery.runner.registry import CeleryEntry, TaskEntry

if TYPE_CHECKING:
    from tilebox_celery.runner.task_runner import TaskRunner

SEEN = ("headers", "shadow", "stamped_headers")
"""Options that the task can see, beside its stamps."""


def submit_sent(
    runner: "TaskRunner", name: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
) -> UUID:
    """Submit a job for what `send_task` of the runner's app was given, and return its id.

    Raises:
        TaskNotRegistered: The runner has no task of that name.
        CanvasError: An option cannot be honoured, or the arguments are not those of the task.
        TypeError: The arguments are not the fields of the class.
    """
    from tilebox_celery.dispatch.canvas_options import check_options

    entry = next((entry for entry in reversed(runner.registry.entries) if entry.identifier.name == name), None)
    if entry is None:
        raise TaskNotRegistered(
            f"This runner has no task {name!r}: name it in runner(tasks=[...]), or give a queue to send a message; a "
            "canvas is submitted with jobs.submit_canvas(name, canvas)."
        )
    if options.get("chain") or options.get("chord"):
        raise CanvasError(f"{name} is sent as a part of a canvas: submit that with jobs.submit_canvas(name, canvas).")
    check_options(options, name, of_leaf=True)
    stamps = options.get("stamped_headers") or ()
    seen = {key: value for key, value in options.items() if (key in SEEN or key in stamps) and value is not None}
    return submit_entry(runner, entry, args, kwargs, seen)


def submit_entry(
    runner: "TaskRunner",
    entry: TaskEntry,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
) -> UUID:
    """Submit a job with one task and return its id.

    Args:
        runner: In whose cluster it runs.
        entry: The task class, or the plain Celery task.
        args: Positional fields, or arguments.
        kwargs: The same by name.
        options: Those that a Celery task can see.

    Raises:
        CanvasError: The arguments are not those of the Celery task.
        TypeError: The arguments are not the fields of the class.
    """
    if isinstance(entry, CeleryEntry):
        from tilebox_celery.dispatch.canvas import plan_canvas

        plan = plan_canvas(entry.task.signature(args, kwargs, **(options or {})))
        batch = plan.batch(runner.cluster, runner.settings.max_input_bytes)
        return _submit(runner, entry.task.name, batch, plan.shape)
    collector = SubtaskCollector()
    collector.submit_subtask(entry.cls(*args, **kwargs), cluster=runner.cluster)
    return _submit(runner, entry.identifier.name, group_tasks(collector.futures))


def _submit(runner: "TaskRunner", name: str, batch: TaskBatch, canvas: Mapping[str, Any] | None = None) -> UUID:
    job_id = new_job_id()
    runner.ledger.control.submit(Submission(job_id, name, start_job_span(name), batch, canvas))
    return job_id
