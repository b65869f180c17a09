"""The Celery app of a runner: the wake task, the user's identifiers, and the bootsteps that make a worker a runner."""

from typing import TYPE_CHECKING, Any

from celery import Celery

from tilebox_celery.dispatch.app import WAKE_TASK, make_app
from tilebox_celery.runner.registry import CeleryEntry
from tilebox_celery.runner.worker_steps import QueueStep, RunnerStep

if TYPE_CHECKING:
    from tilebox_celery.runner.task_runner import TaskRunner


def build_app(runner: "TaskRunner") -> Celery:
    """Return the app; ``celery -A module:app worker`` makes it a runner.

    Args:
        runner: Whose classes, cache and settings it has.
    """
    app = make_app(f"tilebox_celery.{runner.cluster}", runner.broker_url)
    app.tilebox_runner = runner
    app.steps["worker"].add(RunnerStep)
    app.steps["consumer"].add(QueueStep)

    @app.task(name=WAKE_TASK, shared=False, send_events=False, ignore_result=True)  # type: ignore[untyped-decorator] # Celery has no types
    def wake(token: int | None = None) -> None:
        """Do nothing: the consumer takes the message before it becomes a task."""

    for entry in runner.registry.entries:
        _register(app, runner, entry)
    return app


def _register(app: Celery, runner: "TaskRunner", entry: Any) -> None:
    """Register a user's identifier: `inspect registered` lists it, and sending it submits a one-task job."""
    if isinstance(entry, CeleryEntry):
        app.tasks.pop(entry.identifier.name, None)  # a shared_task comes into every app by itself

    @app.task(name=entry.identifier.name, shared=False, send_events=False, ignore_result=True)  # type: ignore[untyped-decorator] # Celery has no types
    def submit(*args: Any, **kwargs: Any) -> None:
        from tilebox_celery.runner.direct_submit import submit_call, submit_directly

        if isinstance(entry, CeleryEntry):
            submit_call(runner, entry.task, args, kwargs)
        else:
            submit_directly(runner, entry.cls, args, kwargs)
