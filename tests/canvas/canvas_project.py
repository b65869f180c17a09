"""An existing Celery project: plain tasks of an app whose broker nobody can reach."""

import json
import os
import signal
import sys
import time
import zlib
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from celery import Celery, Task, current_app
from celery.exceptions import Ignore, Reject

NO_BROKER = "amqp://nobody:nothing@127.0.0.1:1//"

app = Celery("project", broker=NO_BROKER, set_as_current=False)
task = partial(app.task, shared=False)  # the apps of other tests in this process are not to get them


class Journal(Task):
    """A base class whose hooks write down that they were called."""

    entries: ClassVar[list[str]] = []

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        self.entries.append(f"before {args}")

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        self.entries.append(f"success {retval}")

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        self.entries.append(f"failure {exc}")

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        self.entries.append(f"after {status}")


@task
def add(x: int, y: int) -> int:
    return x + y


@task
def mul(x: int, y: int) -> int:
    return x * y


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def pack(*args: Any, **kwargs: Any) -> Any:
    """Return what it was called with."""
    return [list(args), kwargs] if kwargs else list(args)


@task
def mix(*args: Any) -> int:
    """Return a number that depends on all arguments, their order and their nesting."""
    return zlib.crc32(json.dumps(args).encode())


@task
def none_of(*args: Any) -> None:
    """Return nothing."""


@task
def fail(*args: Any, unless: str = "") -> Any:
    """Fail unless a file is there; then return the first argument."""
    if unless and Path(unless).exists():
        return args[0]
    raise ValueError(args[0])


@task
def kept(value: Any) -> Any:
    """Return a value."""
    return value


@task(ignore_result=True)
def unkept(value: Any) -> Any:
    """Return a value that nobody is to keep."""
    return value


@task(bind=True)
def stamps(self: Any) -> Any:
    """Return its stamps."""
    return self.request.stamps


@task(bind=True)
def see_request(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what it sees of its request."""
    request = self.request
    names = (
        "id",
        "root_id",
        "parent_id",
        "retries",
        "args",
        "kwargs",
        "headers",
        "is_eager",
        "called_directly",
        "task",
    )
    return {name: getattr(request, name) for name in names} | {"job": request.tilebox_job, "app": current_app.main}


@task(bind=True)
def flaky(self: Any, value: Any, failures: int, **retry: Any) -> Any:
    """Fail so many times, asking for a retry each time; then return the value."""
    if self.request.retries < failures:
        raise self.retry(exc=ConnectionError("provider is away"), **{"countdown": 0, **retry})
    return value


@task(autoretry_for=(ConnectionError,), retry_kwargs={"max_retries": 5, "countdown": 0})
def flaky_by_class(value: Any, failures: int) -> Any:
    """Fail so many times; the class says what is retried."""
    if flaky_by_class.request.retries < failures:
        raise ConnectionError("provider is away")
    return value


@task
def flaky_by_name(value: Any) -> Any:
    """Fail once, and retry by the global name of the task."""
    if flaky_by_name.request.retries == 0:
        flaky_by_name.retry(countdown=0)
    return value


@task(bind=True)
def do(self: Any, what: str, *args: Any) -> Any:
    """Do one of the things that no canvas job can, or that it does in its own way."""
    match what:
        case "replace":
            raise self.replace(add.s(1, 1))
        case "add_to_chord":
            return self.add_to_chord(add.s(1, 1))
        case "get":
            return app.AsyncResult("some-id").get()
        case "retry with other arguments":
            raise self.retry(args=("nothing",), countdown=0)
        case "retry at":
            raise self.retry(eta=datetime.fromisoformat(args[0]))
        case "retry and return":
            if self.request.retries == 0:
                self.retry(countdown=0, throw=False)
            return self.request.retries
        case "ignore":
            raise Ignore
        case "reject":
            raise Reject("no scene", requeue=False)
        case "requeue":
            if self.request.retries == 0:
                raise Reject("busy", requeue=True)
            return self.request.retries
        case "states":
            self.update_state(state="PROGRESS", meta={"current": 1})
            self.send_event("task-custom")
            return "told nobody"
        case "exit":
            sys.exit(3)
        case "set":
            return {1, 2}
        case "nan":
            return {"mean": float("nan")}
        case "large":
            return "x" * args[0]
    raise AssertionError(what)


@task(bind=True)
def hold(self: Any, value: int, pipe: str) -> int:
    """Tell the process id through a named pipe and wait to be killed; without a pipe, return the value and one."""
    while not Path(pipe).exists():
        time.sleep(0.01)
    if not Path(pipe).is_fifo():
        return value + 1
    Path(pipe).write_text(str(os.getpid()))
    signal.pause()
    raise AssertionError


class Describe(Task):
    """A class-based task."""

    name = "canvas_project.Describe"

    def run(self, value: Any) -> str:
        return f"{type(self).__name__} of {value}"


describe = app.register_task(Describe())


@task(base=Journal)
def noted(value: Any) -> Any:
    """Return a value, or fail for want of one; its hooks keep a journal."""
    if value is None:
        raise ValueError("nothing")
    return value


TASKS = [
    add,
    mul,
    total,
    pack,
    mix,
    none_of,
    fail,
    kept,
    unkept,
    stamps,
    see_request,
    flaky,
    flaky_by_class,
    flaky_by_name,
    do,
    hold,
    describe,
    noted,
]
