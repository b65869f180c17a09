"""Check the root tasks of a new job and put them into one batch."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tilebox_celery.errors import ArgumentError, InputError
from tilebox_celery.model.submission import (
    FutureTask,
    HasSlug,
    TaskBatch,
    check_limit,
    check_max_retries,
    check_task,
    cluster_slug,
)
from tilebox_celery.model.task import Task
from tilebox_celery.model.text import counted

Clusters = str | HasSlug | Sequence[str | HasSlug] | None


def root_batch(
    root_task_or_tasks: Task | Iterable[Task],
    cluster: Clusters,
    max_retries: int,
    limit: tuple[str, int] | None,
    max_input_bytes: int,
    job_name: str,
) -> TaskBatch:
    """Serialise root tasks, which run side by side.

    Args:
        root_task_or_tasks: One task or several.
        cluster: None, one for all, or one for each.
        max_retries: Of each task.
        limit: Of all tasks.
        max_input_bytes: Largest input of one task.
        job_name: For messages.

    Raises:
        TypeError: Something is no task.
        ArgumentError: There is no task, or not one cluster for each.
        InputError: An input is not JSON, or too large.
    """
    tasks = [root_task_or_tasks] if isinstance(root_task_or_tasks, Task) else _listed(root_task_or_tasks, job_name)
    clusters = _slugs(cluster, len(tasks))
    check_max_retries(max_retries)
    limit = None if limit is None else check_limit(limit)
    count = len(tasks)
    batch = TaskBatch(
        identifiers=[],
        clusters=clusters,
        inputs=[],
        displays=[],
        max_retries=[max_retries] * count,
        optionals=[False] * count,
        limits=[limit] * count,
        groups=[0] * count,
        group_count=1,
        edges_from=[],
        edges_to=[],
    )
    for index, task in enumerate(tasks):
        if not isinstance(task, Task):
            _refuse_celery(task, job_name)
        root = FutureTask(index, check_task(task))  # one at a time: 100,000 of them would take 15 MB
        if len(root.input) > max_input_bytes:
            raise InputError(
                f"The input of task {type(task).__name__} has {len(root.input):,} bytes, more than {max_input_bytes:,}"
                ": pass a reference, such as a cache key, or raise TILEBOX_CELERY_MAX_INPUT_BYTES."
            )
        batch.identifiers.append(root.identifier)
        batch.inputs.append(root.input)
        batch.displays.append(root.display)
    return batch


def _listed(tasks: object, job_name: str) -> list[Any]:
    _refuse_celery(tasks, job_name)
    if isinstance(tasks, type) or not isinstance(tasks, Iterable) or isinstance(tasks, str | bytes):
        what = f"the class {tasks.__name__}" if isinstance(tasks, type) else f"{tasks!r:.80}"
        raise TypeError(f"submit takes a task, such as MyTask(...), or a list of tasks, not {what}.")
    found = list(tasks)
    if not found:
        raise ArgumentError("A job needs at least one root task; the list is empty.")
    return found


def _refuse_celery(task: Any, job_name: str) -> None:
    """Say how a canvas is submitted to whoever submits a plain Celery task or a signature."""
    from tilebox_celery.runner.celery_task import is_celery_task, is_signature

    if is_signature(task):
        called, kind, how = task.task, "signature", "signature"
    elif is_celery_task(task):
        called = str(task.name or task.__name__)
        kind, how = "task", f"{called.rpartition('.')[2]}.s(...)"
    else:
        return
    raise TypeError(
        f"{called} is a plain Celery {kind}, not an instance of a Task class: "
        f"use jobs.submit_canvas({json.dumps(job_name)}, {how})."
    )


def _slugs(cluster: Clusters, count: int) -> list[str | None]:
    if cluster is None:
        return [None] * count
    if isinstance(cluster, str | HasSlug) or not isinstance(cluster, Iterable):
        return [cluster_slug(cluster)] * count
    slugs: list[str | None] = [cluster_slug(each) for each in cluster]
    if len(slugs) == 1:
        return slugs * count
    if len(slugs) != count:
        raise ArgumentError(
            f"Mismatch in number of provided clusters and tasks. You gave {counted(len(slugs), 'cluster')} for "
            f"{counted(count, 'task')}: pass one cluster for all of them, or one for each."
        )
    return slugs
