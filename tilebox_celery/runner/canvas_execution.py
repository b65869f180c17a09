"""Run one call of a Celery task in a canvas job: arguments from the results before it, outcome by Celery's rules."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from celery import _state
from celery.app import autoretry, trace
from celery.exceptions import Ignore, Reject, Retry
from celery.utils.time import maybe_make_aware

from tilebox_celery.dispatch import canvas_json
from tilebox_celery.dispatch.canvas_leaf import Call, load_call
from tilebox_celery.dispatch.canvas_shape import positions_of, value_of
from tilebox_celery.errors import CanvasError
from tilebox_celery.ledger.calls import ClaimedTask, JobRef
from tilebox_celery.model.task_ids import public_task_id
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.runner.canvas_roots import RootTasks
from tilebox_celery.runner.celery_task import JOB
from tilebox_celery.runner.outcome import RetryAskedError
from tilebox_celery.runner.registry import CeleryEntry
from tilebox_celery.runner.reports import Ask

RESULTS = b"select task_id, result from tbx.task_results where job_id = %s and task_id = any(%s)"
REQUEUE_US = 1_000_000
"""Wait before a task that rejected itself runs again, so that it does not fill a slot with rejections."""
LONGEST_DELAY = 10 * 365 * 24 * 3600


def run_celery_task(
    entry: CeleryEntry,
    ask: Ask,
    roots: RootTasks,
    claimed: ClaimedTask,
    job: JobRef,
    max_result_bytes: int,
) -> bytes | None:
    """Call a Celery task and return its result as JSON; None stands for null.

    Args:
        entry: The task.
        ask: Reads from the ledger, to fetch the results that it takes.
        roots: Of this process.
        claimed: The task of the ledger.
        job: Its job.
        max_result_bytes: Largest result.

    Raises:
        RetryAskedError: The task asked to be run again, by `self.retry` or autoretry.
        CanvasError: The result cannot be stored, or the task did what no canvas job can do.
        Exception: Whatever else the task raises, which ends it.
    """
    call = load_call(claimed.input)
    value, parent = ask(lambda connection: _handed(call, connection, roots, claimed))
    args = tuple(call.args) if call.source is None else (value, *call.args)
    request = _request(entry, claimed, job, call, parent)
    with _as_in_a_worker(entry.task):
        result = _loop(entry.task, call) if call.loop else _trace(entry, request, args, call.kwargs)
    if result is None or call.ignores_result:
        return None
    try:
        data = canvas_json.dump(result)
    except (TypeError, ValueError) as error:
        raise CanvasError(
            f"Celery task {entry.identifier.name} returned a {type(result).__name__}, which is not JSON: {error}."
        ) from error
    if len(data) > max_result_bytes:
        raise CanvasError(
            f"Celery task {entry.identifier.name} returned {len(data):,} bytes of JSON, more than "
            f"{max_result_bytes:,}. Return a reference, such as a path, or raise TILEBOX_CELERY_MAX_RESULT_BYTES."
        )
    return data


def _handed(call: Call, connection: Connection, roots: RootTasks, claimed: ClaimedTask) -> tuple[Any, str | None]:
    """Return the value that the steps before hand on, and the id of the only task that gave it."""
    if call.source is None:
        return None, None
    ids = roots.of(connection, claimed.job_id)
    wanted = {ids[position]: position for position in positions_of(call.source)}
    results: dict[int, Any] = dict.fromkeys(wanted.values())
    if wanted:
        for task_id, result in connection.execute(RESULTS, (claimed.job_id, list(wanted)), binary=True):
            results[wanted[task_id]] = canvas_json.load(result)
    parent = str(public_task_id(claimed.job_id, ids[call.source])) if isinstance(call.source, int) else None
    return value_of(call.source, results), parent


def _request(entry: CeleryEntry, claimed: ClaimedTask, job: JobRef, call: Call, parent: str | None) -> dict[str, Any]:
    """Return what the task sees as `self.request`."""
    task_id = str(public_task_id(claimed.job_id, claimed.id))
    return {
        "id": task_id,
        "task": entry.identifier.name,
        "correlation_id": task_id,
        "root_id": str(job.uuid),
        "parent_id": parent,
        "retries": claimed.retries,
        "hostname": _HOST,
        "origin": "tilebox_celery",
        "headers": call.headers,
        "stamped_headers": list(call.stamps) or None,
        "stamps": {name: value if isinstance(value, list) else [value] for name, value in call.stamps.items()},
        "delivery_info": {},
        "ignore_result": True,  # of Celery's backend: the result is the ledger's
        JOB: str(job.uuid),
    }


def _trace(entry: CeleryEntry, request: dict[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the task with Celery's own tracer: request, hooks, signals, logs."""
    task = entry.task
    if entry.trace is None:
        entry.trace = trace.build_tracer(task.name, task, app=task.app)
    asked: list[Any] = []
    request["tilebox_asked"] = asked
    outcome = entry.trace(request["id"], args, kwargs, request)
    if outcome.info is None and not asked:
        return outcome.retval
    error = asked[0] if outcome.info is None else outcome.info.retval
    if isinstance(error, Retry):
        raise RetryAskedError(str(error), error.exc, _delay_us(error.when, task.app))
    if isinstance(error, Reject) and error.requeue:
        raise RetryAskedError(f"Reject(requeue=True): {error.reason}", None, REQUEUE_US)
    if isinstance(error, Ignore | Reject):
        raise CanvasError(
            f"Celery task {task.name} raised {type(error).__name__}, but a canvas job has no tasks without an outcome: "
            "return None, or raise what went wrong."
        ) from error
    raise _without_celery_frames(error)


def _without_celery_frames(error: BaseException) -> BaseException:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None and frame.tb_frame.f_code.co_filename in _CELERY:
        frame = frame.tb_next
    return error.with_traceback(frame)


def _loop(task: Any, call: Call) -> list[Any]:
    """Call the task for each item, as the tasks celery.map and celery.starmap do."""
    try:
        return [task(*item) for item in call.args] if call.loop == "starmap" else [task(item) for item in call.args]
    except Retry as error:
        raise CanvasError(
            f"{task.name}: self.retry() has no meaning in {call.loop} and chunks, where a task is called as a function."
        ) from error


def _delay_us(when: Any, app: Any) -> int:
    """Return how long from now a retry is due."""
    if isinstance(when, datetime):
        seconds = (maybe_make_aware(when, app.timezone) - datetime.now(UTC)).total_seconds()
    else:
        seconds = float(when or 0)
    return int(min(max(seconds, 0.0), LONGEST_DELAY) * 1e6)


_HOST = socket.gethostname()
_CELERY = {trace.__file__, autoretry.__file__}
_running = 0
_blocked_before = False
_lock = Lock()


@contextmanager
def _as_in_a_worker(task: Any) -> Iterator[None]:
    """Refuse `result.get()` in the task, and make its app the current one, as its own worker would."""
    global _running, _blocked_before
    with _lock:
        if not _running:
            _blocked_before = _state.task_join_will_block()
            _state._set_task_join_will_block(True)
        _running += 1
    current = _state._tls.current_app
    _state._tls.current_app = task.app
    try:
        yield
    finally:
        _state._tls.current_app = current
        with _lock:
            _running -= 1
            if not _running:
                _state._set_task_join_will_block(_blocked_before)
