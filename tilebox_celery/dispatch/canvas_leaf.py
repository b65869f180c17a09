"""Turn one call of a canvas into the input of a ledger task, and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tilebox_celery.dispatch import canvas_json
from tilebox_celery.dispatch.canvas_options import check_json
from tilebox_celery.dispatch.canvas_shape import Leaf, LedgerTask, Source, encode_source
from tilebox_celery.errors import CanvasError
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.submission import check_limit, cluster_slug

if TYPE_CHECKING:
    from tilebox_celery.ledger.queries_canvas import GraphTask

VERSION = "v0.0"
"""Of all Celery tasks: their names carry no version."""
HEADER = "tilebox"
"""Header of a signature that stands for a Task class: version, max_retries, optional, cluster, limit, id, parent."""
_KNOWN = {"args", "map", "starmap", "kwargs", "from", "headers", "stamps", "immutable", "ignore_result"}


@dataclass(frozen=True, slots=True)
class Call:
    """What a runner needs to know to make one call of a Celery task."""

    args: list[Any]
    kwargs: dict[str, Any]
    source: Any
    """Where the first argument comes from, encoded; None: there is no further one."""
    loop: str | None
    immutable: bool
    ignores_result: bool
    headers: dict[str, Any]
    stamps: dict[str, Any]


def celery_identifier(name: str) -> TaskIdentifier:
    """Return the identifier under which the ledger knows a Celery task."""
    return TaskIdentifier(name, VERSION)


def dump_call(leaf: Leaf, source: Source) -> bytes:
    """Return the input of the ledger task that makes this call; what is empty is left out.

    Example:
        >>> dump_call(Leaf("add", (1,)), 0)
        b'{"args": [1], "from": 0}'
    """
    parts: dict[str, Any] = {}
    if leaf.args or leaf.loop:
        parts[leaf.loop or "args"] = leaf.args
    if leaf.kwargs:
        parts["kwargs"] = leaf.kwargs
    if source is not None:
        parts["from"] = encode_source(source)
    rest = {
        "headers": leaf.headers,
        "stamps": leaf.stamps,
        "immutable": leaf.immutable and not leaf.loop,
        "ignore_result": leaf.ignores_result,
    }
    return canvas_json.dump(parts | {name: value for name, value in rest.items() if value})


def load_call(data: bytes) -> Call:
    """Read the input of a ledger task that calls a Celery task.

    Raises:
        ValueError: It is none.
    """
    parts = canvas_json.load(data)
    if not isinstance(parts, Mapping) or not parts.keys() <= _KNOWN:
        raise ValueError("its input is not that of a Celery task")
    loop = next((name for name in ("map", "starmap") if name in parts), None)
    return Call(
        parts.get(loop or "args", []),
        parts.get("kwargs", {}),
        parts.get("from"),
        loop,
        loop is not None or parts.get("immutable", False),
        parts.get("ignore_result", False),
        parts.get("headers", {}),
        parts.get("stamps", {}),
    )


def read_leaf(name: str, data: bytes, display: str | None) -> Leaf:
    """Return the call that `dump_call` wrote, without its source.

    Raises:
        ValueError: The input is not that of a Celery task.
    """
    call = load_call(data)
    return Leaf(
        name,
        tuple(call.args),
        call.kwargs,
        immutable=call.immutable,
        loop=call.loop,
        ignores_result=call.ignores_result,
        headers=call.headers,
        stamps=call.stamps,
        shadow=display,
    )


def read_ledger_task(leaf: Leaf, who: str, *, takes_value: bool) -> bool:
    """Recognise the signature of a Task class, which `jobs.canvas()` gives for jobs that were no canvas.

    Args:
        leaf: Gets its `ledger_task`.
        who: Path and name, for messages.
        takes_value: A value would be put before its arguments.

    Raises:
        CanvasError: It is one, but cannot be stored.
    """
    given = leaf.headers.get(HEADER)
    if given is None:
        return False
    if takes_value:
        raise CanvasError(f"{who} is a Task class, which takes no result of another task: write it as si(...).")
    if len(leaf.args) > 1 or (leaf.args and leaf.kwargs):
        raise CanvasError(f"{who} is a Task class: give its only field as the argument, or all fields by name.")
    data = check_json(leaf.args[0] if leaf.args else leaf.kwargs, f"{who} has fields that are")
    try:
        identifier = TaskIdentifier.parse((leaf.task, given["version"]))
        max_retries, optional = int(given.get("max_retries", 0)), bool(given.get("optional", False))
        cluster = cluster_slug(given["cluster"]) if given.get("cluster") else None
        limit = check_limit(tuple(given["limit"])) if given.get("limit") else None
        key, parent = (given.get(name) and str(given[name]) for name in ("id", "parent"))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        said = str(error).rstrip(".")
        raise CanvasError(f"{who} has a header {HEADER!r} that does not say which Task class it is: {said}.") from None
    data = data if leaf.args or leaf.kwargs else b""
    leaf.ledger_task = LedgerTask(identifier, data, max_retries, optional, cluster, limit, key, parent)
    return True


def ledger_task(task: "GraphTask", key: str | None = None, parent: str | None = None) -> LedgerTask:
    """Return what a canvas says of a task of the ledger.

    Args:
        task: The task.
        key: Its id, if its subtasks are in the same canvas.
        parent: The id of the task that submitted it.
    """
    return LedgerTask(
        task.identifier, task.input, task.max_retries, task.optional, task.cluster, task.limit, key, parent
    )


def ledger_leaf(task: LedgerTask) -> Leaf:
    """Return a task of the ledger as a call that `read_ledger_task` recognises.

    Raises:
        ValueError: Its input is not JSON (a protobuf message).
    """
    header: dict[str, Any] = {"version": task.identifier.version}
    if task.max_retries:
        header["max_retries"] = task.max_retries
    if task.optional:
        header["optional"] = True
    if task.cluster is not None:
        header["cluster"] = task.cluster
    if task.limit is not None:
        header["limit"] = list(task.limit)
    if task.id is not None:
        header["id"] = task.id
    if task.parent is not None:
        header["parent"] = task.parent
    value = json.loads(task.input) if task.input else {}
    is_object = isinstance(value, dict)
    return Leaf(
        task.identifier.name,
        () if is_object else (value,),
        value if is_object else {},
        immutable=True,
        headers={HEADER: header},
        ledger_task=task,
    )
