"""The Celery app of a runner: the wake task, the user's identifiers, and the bootstep that makes a worker a runner."""

from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import worker_process_init

from tilebox_celery.dispatch.app import WAKE_TASK, make_app
from tilebox_celery.runner.forks import allow_children
from tilebox_celery.runner.registry import CeleryEntry
from tilebox_celery.runner.worker_steps import RunnerStep

if TYPE_CHECKING:
    from tilebox_celery.runner.task_runner import TaskRunner


class RunnerApp(Celery):  # type: ignore[misc] # Celery has no types
    """Writes what is sent to no queue into the ledger, as a job of one task; a message to a queue is Celery's."""

    tilebox_runner: "TaskRunner"

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, *rest: Any, **options: Any) -> Any:
        """Submit a job of one task, as do `delay`, `apply_async` and `celery call`, which all come here.

        Returns:
            An AsyncResult whose id is that of the job.

        Raises:
            TaskNotRegistered: The runner has no task of that name.
            CanvasError: An option changes what happens, and no job can honour it.
        """
        if name == WAKE_TASK or rest or any(options.get(where) for where in ("queue", "exchange", "routing_key")):
            return super().send_task(name, args, kwargs, *rest, **options)
        from tilebox_celery.runner.direct_submit import submit_sent

        job_id = submit_sent(self.tilebox_runner, name, args or (), kwargs or {}, options)
        return self.AsyncResult(str(job_id))


def build_app(runner: "TaskRunner") -> Celery:
    """Return the app; ``celery -A module:app worker`` makes it a runner.

    Args:
        runner: Whose classes, cache and settings it has.
    """
    app = make_app(f"tilebox_celery.{runner.cluster}", runner.broker_url, RunnerApp)
    app.tilebox_runner = runner
    app.steps["worker"].add(RunnerStep)
    worker_process_init.connect(allow_children)

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
        from tilebox_celery.runner.direct_submit import submit_entry

        submit_entry(runner, entry, args, kwargs)
