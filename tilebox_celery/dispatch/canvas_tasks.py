"""Find the Celery task behind a signature, and what its class says that matters to a canvas job."""

import sys
from typing import Any

from celery import Celery, Task, _state

from tilebox_celery.dispatch.canvas_shape import Leaf
from tilebox_celery.errors import CanvasError


class TaskFinder:
    """Finds tasks by name in the app of a signature, or else in the app of this process; never makes an app.

    An app that holds no tasks, and the one named "default" that Celery makes where there is none, know nothing.
    """

    def __init__(self) -> None:
        self.unknown: dict[str, str] = {}
        """Names that an app of this process should know and does not, with the place of their first use."""
        self._app = _state._tls.current_app or _state.default_app

    def find(self, signature: Any, leaf: Leaf, app: Celery | None) -> Task | None:
        """Return the task of a signature; None if no app here can know it.

        Args:
            signature: A Signature, or its JSON.
            leaf: What was read of it.
            app: Of the canvas around it.
        """
        task = getattr(signature, "_type", None)
        if isinstance(task, Task):
            return task
        app = getattr(signature, "_app", None) or app or self._app
        if app is None:
            return None
        found = app.tasks.get(leaf.task)
        if found is None and app.main != "default" and any(not name.startswith("celery.") for name in app.tasks):
            self.unknown.setdefault(leaf.task, leaf.path)
        return found


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
