"""Take plain Celery tasks into a runner: find the task behind what a user passed; make `self.retry` mean the ledger.

A task keeps its app, and outside of a canvas job nothing of it changes: `delay()` goes where it went before.
"""

import sys
from collections.abc import Callable
from typing import Any

from tilebox_celery.errors import CanvasError
from tilebox_celery.model.identifiers import TaskIdentifier

JOB = "tilebox_job"
"""Attribute of a request that this runner made: `self.request.tilebox_job` is the id of the job."""
_VERSION = "v0.0"
_REFUSED = {
    "replace": "self.replace() would change the graph of a canvas job: put the other tasks into the canvas instead.",
    "add_to_chord": "self.add_to_chord() would change the graph of a canvas job: put the task into the canvas instead.",
}


def is_celery_task(task: object) -> bool:
    """Tell whether something is a Celery task or a class of them, without loading Celery for those that are not.

    Example:
        >>> is_celery_task(print)
        False
    """
    if "celery" not in sys.modules:
        return False
    from celery import Task  # may not be loaded yet: an app makes its tasks on first use

    return isinstance(task, Task) or (isinstance(task, type) and issubclass(task, Task))


def is_signature(thing: object) -> bool:
    """Tell whether something is a signature of Celery, also a chain, group or chord, without loading Celery.

    Example:
        >>> is_signature({"task": "add"})
        False
    """
    if "celery" not in sys.modules:
        return False
    from celery import Signature

    return isinstance(thing, Signature)


def adopt(task: Any) -> Any:
    """Return the task behind what a user passed, ready to run in canvas jobs.

    Its methods that talk to a broker or a backend mean the ledger as long as a request of this runner is on top. They
    are set on the task itself and not on a copy, since functions and autoretry reach it by its global name.

    Args:
        task: A task (also one of `shared_task`), or a class of class-based tasks.
    """
    task = _registered(task)
    if not getattr(task.retry, JOB, False):
        for name, method in (
            ("retry", _retry(task, task.retry)),
            *((name, _refuse(task, getattr(task, name), sentence)) for name, sentence in _REFUSED.items()),
            ("update_state", _skip(task, task.update_state)),
            ("send_event", _skip(task, task.send_event)),
        ):
            setattr(method, JOB, True)
            setattr(task, name, method)
    return task


def celery_identifier(task: Any) -> TaskIdentifier:
    """Return the identifier under which runners register a Celery task."""
    return TaskIdentifier.parse((task.name, _VERSION))


def _registered(task: Any) -> Any:
    """Return the task that its app knows under its name; a class that no app knows yet is registered with its app."""
    if isinstance(task, type):
        cls: Any = task
        name = cls.name or cls.app.gen_task_name(cls.__name__, cls.__module__)
        return cls.app.tasks[name] if name in cls.app.tasks else cls.app.register_task(cls())
    task = getattr(task, "_get_current_object", lambda: task)()  # behind a proxy: @app.task, @shared_task
    return task if task.name else task.app.register_task(task)


def _is_ours(task: Any) -> bool:
    return getattr(task.request, JOB, None) is not None


def _retry(task: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def retry(args: Any = None, kwargs: Any = None, *rest: Any, **options: Any) -> Any:
        """Retry the task; see `celery.Task.retry`."""
        if not _is_ours(task):
            return original(args, kwargs, *rest, **options)
        request = task.request
        if (args is not None and tuple(args) != tuple(request.args)) or (
            kwargs is not None and kwargs != request.kwargs
        ):
            raise CanvasError(f"{task.name}: self.retry() cannot change the arguments of a task in a canvas job.")
        request.is_eager = True  # then Celery decides as always, and sends nothing
        try:
            asked = original(None, None, *rest, **options)
            request.tilebox_asked.append(asked)  # with throw=False it comes back, and the task may even return
            return asked
        finally:
            request.is_eager = False

    return retry


def _refuse(task: Any, original: Callable[..., Any], sentence: str) -> Callable[..., Any]:
    def refuse(*args: Any, **options: Any) -> Any:
        """Refuse in a canvas job."""
        if _is_ours(task):
            raise CanvasError(f"{task.name}: {sentence}")
        return original(*args, **options)

    return refuse


def _skip(task: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def skip(*args: Any, **options: Any) -> Any:
        """Do nothing in a canvas job, whose states are the ledger's."""
        return None if _is_ours(task) else original(*args, **options)

    return skip
