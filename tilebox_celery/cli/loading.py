"""Import the module of ``-m my.module[:attribute]`` and take the tasks, or the runner, out of it."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tilebox_celery.cli import output
from tilebox_celery.errors import ArgumentError, TileboxCeleryError
from tilebox_celery.model.task import Task, is_executable

if TYPE_CHECKING:
    from tilebox_celery.client.client import Client
    from tilebox_celery.runner.task_runner import TaskRunner


def load(text: str) -> Any:
    """Import ``module`` or ``module:attribute``; modules of the working directory are found, too.

    Raises:
        ArgumentError: There is no such module or attribute.
        TileboxCeleryError: Importing it raised.
    """
    name, colon, attribute = text.partition(":")
    if name.endswith(".py") or "/" in name:
        stem = Path(name).stem
        raise ArgumentError(f"-m takes the name of a module, not of a file: '-m {stem}', in its folder.")
    if not name or (colon and not attribute):
        raise ArgumentError(f"-m takes 'module' or 'module:attribute', not {text!r}.")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise ArgumentError(f"There is no module {name!r} in {Path.cwd()} or on the Python path.") from error
        raise TileboxCeleryError(f"Module {name!r} cannot be imported: {error}.") from error
    except (Exception, SystemExit) as error:  # a script may end the process when it is imported
        raise TileboxCeleryError(f"Module {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    for part in filter(None, attribute.split(".")):
        if not hasattr(found, part):
            raise ArgumentError(f"Module {name!r} has no attribute {attribute!r}.")
        found = getattr(found, part)
    return found


def load_runner(
    client: "Client", modules: Sequence[str], cluster: str | None, cache: Path | None = None
) -> "TaskRunner":
    """Make the runner of a command.

    Args:
        client: Whose ledger it works for.
        modules: Each ``module``, whose tasks are taken, or ``module:attribute``: a task class, a runner, a Celery app.
        cluster: Where it works; by default the default cluster, or that of the runner found.
        cache: Folder of the job cache.

    Raises:
        ArgumentError: There is nothing that can be run, or the options contradict each other.
    """
    from tilebox_celery.caches import LocalFileSystemCache
    from tilebox_celery.client.runner import Runner
    from tilebox_celery.runner.task_runner import TaskRunner

    found = [getattr(each, "tilebox_runner", each) for each in map(load, modules)]  # the app of a runner is the runner
    whole = [each for each in found if isinstance(each, TaskRunner | Runner)]
    if whole and (len(found) > 1 or cache is not None):
        raise ArgumentError(f"-m {modules[0]} is a runner, which has its own tasks and cache: give it alone.")
    only = whole[0] if whole else None
    if isinstance(only, Runner):
        return only.connect_to(client, cluster)
    if only is not None:
        if cluster is not None and cluster != only.cluster:
            raise ArgumentError(
                f"-m {modules[0]} is a runner of cluster {only.cluster!r}, not {cluster!r}: leave --cluster out."
            )
        return only
    tasks = list(dict.fromkeys(task for text, each in zip(modules, found, strict=True) for task in _tasks(text, each)))
    for left_out in (name for each in found for name in _without_execute(each)):
        if not output.mode.json:
            output.say(f"{left_out} is left out: it has no method execute(self, context).")
    try:
        return client.runner(cluster, tasks, None if cache is None else LocalFileSystemCache(cache))
    except TileboxCeleryError:
        raise
    except (TypeError, ValueError) as error:
        raise TileboxCeleryError(str(error)) from error


def _tasks(text: str, found: Any) -> list[Any]:
    if _is_task(found):
        return [found]
    if isinstance(found, type) and issubclass(found, Task) and found is not Task:
        raise ArgumentError(f"{text} has no method execute(self, context).")
    if isinstance(found, list | tuple):
        return list(found)
    if _is_celery_app(found):
        tasks = [task for name, task in found.tasks.items() if not name.startswith("celery.")]
    else:
        tasks = list(_tasks_of(found)) if hasattr(found, "__dict__") and not isinstance(found, type) else []
    if not tasks:
        raise ArgumentError(f"-m {text} has no task classes that can be executed.")
    return tasks


def _tasks_of(module: Any) -> Iterator[Any]:
    for value in vars(module).values():
        if _is_task(value):
            yield value


def _without_execute(module: Any) -> Iterator[str]:
    """Name the task classes of a module that nobody can execute, unless they are there to be inherited from."""
    if not isinstance(module, ModuleType):
        return
    for value in vars(module).values():
        own = isinstance(value, type) and issubclass(value, Task) and value.__module__ == module.__name__
        if own and not is_executable(value) and not value.__subclasses__():
            yield value.__name__


def _is_celery_app(value: Any) -> bool:
    celery = sys.modules.get("celery")
    return celery is not None and isinstance(value, celery.Celery)


def _is_task(value: Any) -> bool:
    if isinstance(value, type):
        return issubclass(value, Task) and value is not Task and is_executable(value)
    celery = sys.modules.get("celery")  # a module that has Celery tasks has loaded it
    return celery is not None and isinstance(value, celery.Task)
