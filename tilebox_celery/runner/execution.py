"""Run one task: input to task, task to outcome."""

import asyncio
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tilebox_celery import faults
from tilebox_celery.caches import JobCache
from tilebox_celery.errors import InputError
from tilebox_celery.ledger.calls import ClaimedTask, JobRef
from tilebox_celery.ledger.routes import RouteIds
from tilebox_celery.model.inputs import deserialize
from tilebox_celery.model.submission import check_subtask_limit, group_tasks
from tilebox_celery.model.text import cut_display, cut_error, failed_display
from tilebox_celery.observability import tracing
from tilebox_celery.observability.logging import get_logger, log_task_failure
from tilebox_celery.observability.text import show
from tilebox_celery.runner.canvas_roots import RootTasks
from tilebox_celery.runner.context import TaskContext
from tilebox_celery.runner.forks import EndForks
from tilebox_celery.runner.outcome import PLAIN, Computed, Failed, Interrupted, RetryAskedError
from tilebox_celery.runner.registry import CeleryEntry, TaskEntry, TaskRegistry
from tilebox_celery.runner.reports import Ask
from tilebox_celery.runner.task_calls import TaskCalls
from tilebox_celery.settings import Settings


@dataclass(slots=True)
class Environment:
    """What a runner gives to each task that it runs."""

    registry: TaskRegistry
    settings: Settings
    cluster: str
    cache: JobCache | None = None
    shared: Any = None
    routes: RouteIds = field(default_factory=RouteIds)
    canvas_roots: RootTasks = field(default_factory=RootTasks)


def execute_task(
    environment: Environment,
    ask: Ask,
    claimed: ClaimedTask,
    job: JobRef,
    is_current: Callable[[], bool],
    calls: TaskCalls,
) -> tuple[Computed | Failed, TaskContext | None]:
    """Run a claimed task and return what it produced; whatever user code raises becomes a Failed.

    Args:
        environment: Of the runner.
        ask: Reads from the ledger, for routes that are new to the slot.
        claimed: The task.
        job: Its job.
        is_current: Tells whether the lease is still held, for writes into the job cache.
        calls: Of the context.
    """
    context: TaskContext | None = None
    entry: TaskEntry | None = None
    name = f"route {claimed.route_id}"
    try:
        entry = ask(lambda connection: environment.registry.entry(connection, claimed.route_id))
        name = entry.default_display
        context = TaskContext(
            claimed, entry, job, environment.cache, environment.shared, is_current, environment.settings.lease, calls
        )
        if faults.crashes is not None:
            faults.crash_if_chosen(name, claimed.attempt)
        if tracing.current() is None:
            result = run_entry(environment, ask, entry, claimed, context, job)
        else:
            attributes = {"job.id": str(job.uuid), "task.id": str(context.current_task.id)}
            with tracing.task_span(name, job.trace_parent, claimed.input, attributes):
                result = run_entry(environment, ask, entry, claimed, context, job)
        calls.end()
        if faults.seam is not None:
            faults.seam("last_user_line")
        return _collect(environment, ask, entry, context, result), context
    except RetryAskedError as error:
        get_logger().info("Task %s will be run again: %s", name, error)
        return Failed(None, error.report, error.delay_us), context
    except Interrupted:
        raise
    except BaseException as error:
        log_task_failure(get_logger(), name, error)
        failed = _failed(error, claimed, context, name)
        # Celery runs again only what asks for it. Its tasks are stored with retries without end, which must not become
        # a loop where a Task class has the name of a Celery task and cannot read its input.
        failed.is_final = isinstance(entry, CeleryEntry) or (isinstance(error, InputError) and claimed.retries >= 3)
        return failed, context
    finally:
        calls.end()


def run_entry(
    environment: Environment,
    ask: Ask,
    entry: TaskEntry,
    claimed: ClaimedTask,
    context: TaskContext,
    job: JobRef,
) -> bytes | None:
    """Call ``execute``; an ``async def execute`` gets an event loop of its own. Celery tasks have a result."""
    with EndForks():
        if isinstance(entry, CeleryEntry):
            from tilebox_celery.runner.canvas_execution import run_celery_task

            limit = environment.settings.max_result_bytes
            return run_celery_task(entry, ask, environment.canvas_roots, claimed, job, limit)
        task = deserialize(entry.cls, claimed.input, entry.identifier)
        result = task.execute(context)
        if result is not None and inspect.iscoroutine(result):
            asyncio.run(result)
        return None


def _collect(
    environment: Environment, ask: Ask, entry: TaskEntry, context: TaskContext, result: bytes | None
) -> Computed:
    display = context.display
    futures = context.futures
    if not futures:
        return PLAIN if display is None and result is None else Computed(display, result=result)
    check_subtask_limit(entry.cls, len(futures), environment.settings.max_subtasks)
    limit = environment.settings.max_input_bytes
    for future in futures:
        if len(future.input) > limit:
            raise InputError(
                f"The input of subtask {type(future.task).__name__} has {len(future.input):,} bytes, "
                f"more than {limit:,}. Pass a reference, such as a cache key, or raise TILEBOX_CELERY_MAX_INPUT_BYTES."
            )
    batch = group_tasks(futures)
    routes = ask(lambda connection: environment.routes.of_batch(connection, batch, environment.cluster))
    return Computed(display, batch, routes, result)


def _failed(error: BaseException, claimed: ClaimedTask, context: TaskContext | None, name: str) -> Failed:
    shown = (context.display if context is not None else None) or claimed.display or name
    report = "".join(traceback.format_exception(_without_our_frames(error)))
    try:
        shown = failed_display(shown, error)
    except BaseException:  # a user's __repr__ may raise anything
        shown = cut_display(f"{shown}\n{show(error)}")
    return Failed(shown, cut_error(report))


def _without_our_frames(error: BaseException) -> BaseException:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None and frame.tb_frame.f_code.co_filename in _OURS:
        frame = frame.tb_next
    return error.with_traceback(frame)


_OURS = {__file__, str(Path(__file__).with_name("canvas_execution.py"))}
