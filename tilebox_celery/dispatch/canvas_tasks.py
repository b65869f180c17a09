"""Find the Celery task behind a signature, and what its class says that matters to a canvas job."""

import sys
from collections.abc import Mapping
from typing import Any

from celery import Celery, Task, _state

from tilebox_celery.dispatch.app import WAKE_TASK
from tilebox_celery.dispatch.canvas_shape import Leaf
from tilebox_celery.errors import CanvasError

BUILT_IN = "celery.app.builtins"


class TaskFinder:
    """Finds tasks by name in the app of a signature, or else in the apps of this process; never makes an app.

    Of a process whose apps hold no tasks of its own, nobody can expect that it knows the tasks of others. The app named
    "default", which Celery makes where there is none, and those of runners do not count.
    """

    def __init__(self) -> None:
        self.unknown: dict[str, str] = {}
        """Names that no app of this process can run although it should, with the place of their first use."""
        current = _state._tls.current_app or _state.default_app
        others = sorted(_state._get_active_apps(), key=lambda app: str(app.main))  # also those that are not current
        self._apps = ([] if current is None else [current]) + [app for app in others if _is_project(app)]

    def find(self, signature: Any, leaf: Leaf, app: Celery | None) -> Task | None:
        """Return the task of a signature; None if no app here can know it.

        Args:
            signature: A Signature, or its JSON.
            leaf: What was read of it.
            app: Of the canvas around it.
        """
        task = getattr(signature, "_type", None)
        own = getattr(signature, "_app", None) or app
        apps = self._apps if own is None else [own, *self._apps]
        if not isinstance(task, Task):
            task = next((found for each in apps if (found := _tasks(each).get(leaf.task)) is not None), None)
        if is_built_in(leaf.task, task) or (task is None and any(map(_has_own_tasks, apps))):
            self.unknown.setdefault(leaf.task, leaf.path)
            return None
        return task


def is_built_in(name: str, task: Task | None = None) -> bool:
    """Tell whether a task is one of Celery's own, which serve its result backends, or our wake-up.

    Example:
        >>> is_built_in("celery.accumulate"), is_built_in("proj.add")
        (True, False)
    """
    return name == WAKE_TASK or (name.startswith("celery.") and (task is None or task.__module__ == BUILT_IN))


def _is_project(app: Celery) -> bool:
    return app.main != "default" and not hasattr(app, "tilebox_runner")


def _has_own_tasks(app: Celery) -> bool:
    return app.main != "default" and any(not name.startswith("celery.") for name in _tasks(app))


def _tasks(app: Celery) -> Mapping[str, Task]:
    """Return the tasks of an app; one that must not be made complete yet shows those that it has."""
    tasks: Mapping[str, Task] = app.tasks if app.finalized or app.autofinalize else app._tasks
    return tasks


def check_task(task: Task, leaf: Leaf, who: str, *, takes_value: bool) -> None:
    """Refuse a call that its task cannot take, and classes that need what a canvas job does not have.

    Args:
        task: The task.
        leaf: The call.
        who: Path and name, for the message.
        takes_value: A value will be put before its arguments.

    Raises:
        CanvasError: It is refused.
    """
    if task.expires is not None:
        raise CanvasError(
            f"{who} has a class that says expires={task.expires!r}: a canvas job waits; cancel it instead."
        )
    if task.serializer not in (None, "json"):
        raise CanvasError(
            f"{who} has a class that says serializer={task.serializer!r}, but a canvas job carries JSON: use 'json'."
        )
    abortable = sys.modules.get("celery.contrib.abortable")
    if abortable is not None and isinstance(task, abortable.AbortableTask):
        raise CanvasError(f"{who} is an AbortableTask, which asks a result backend: cancel the job instead.")
    if leaf.loop is None and task.typing and (check_arguments := getattr(task, "__header__", None)) is not None:
        try:
            check_arguments(*((None, *leaf.args) if takes_value else leaf.args), **leaf.kwargs)
        except TypeError as error:
            raise CanvasError(f"{who} cannot be called like this: {error}.") from None


def ignores_result(task: Task | None, option: Any) -> bool:
    """Tell whether a call says itself, by its option or its class, that its result is of no use.

    The app's ``task_ignore_result`` is no such statement: it is about a result backend, which a canvas job has not.
    """
    if option is not None:
        return bool(option)
    return task is not None and bool(task.ignore_result) and not task.app.conf.task_ignore_result
