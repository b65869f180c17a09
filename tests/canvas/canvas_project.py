"""An existing Celery project: plain tasks of an app whose broker nobody can reach."""

import json
import zlib
from pathlib import Path
from typing import Any

from celery import Celery

NO_BROKER = "amqp://nobody:nothing@127.0.0.1:1//"

app = Celery("project", broker=NO_BROKER, set_as_current=False)


@app.task
def add(x: int, y: int) -> int:
    return x + y


@app.task
def mul(x: int, y: int) -> int:
    return x * y


@app.task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task
def pack(*args: Any, **kwargs: Any) -> Any:
    """Return what it was called with."""
    return [list(args), kwargs] if kwargs else list(args)


@app.task
def mix(*args: Any) -> int:
    """Return a number that depends on all arguments, their order and their nesting."""
    return zlib.crc32(json.dumps(args).encode())


@app.task
def none_of(*args: Any) -> None:
    """Return nothing."""


@app.task
def fail(*args: Any, unless: str = "") -> Any:
    """Fail unless a file is there; then return the first argument."""
    if unless and Path(unless).exists():
        return args[0]
    raise ValueError(args[0])


@app.task
def kept(value: Any) -> Any:
    """Return a value."""
    return value


@app.task(ignore_result=True)
def unkept(value: Any) -> Any:
    """Return a value that nobody is to keep."""
    return value


@app.task(bind=True)
def stamps(self: Any) -> Any:
    """Return its stamps."""
    return self.request.stamps


TASKS = [add, mul, total, pack, mix, none_of, fail, kept, unkept, stamps]
