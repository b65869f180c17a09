"""Read a Celery Signature, or the dict that its JSON gives, into plain nodes, and refuse what is neither."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from celery import Celery, Signature
from celery.canvas import _chain, _chord, chain, chunks, group, xmap, xstarmap

from tilebox_celery.errors import CanvasError

MAX_TASKS = 100_000
MAX_DEPTH = 100
CANVAS_KINDS = ("chain", "group", "chord", "chunks", "map", "starmap")
_CLASSES = (dict, Signature, _chain, chain, group, _chord, chunks, xmap, xstarmap)
_TYPES = (None, "", "chain", "group", "chord", "chunks", "xmap", "xstarmap")
_KWARGS: Mapping[str, set[str]] = {
    "chain": {"tasks"},
    "group": {"tasks"},
    "chord": {"header", "body", "kwargs"},
    "chunks": {"task", "it", "n"},
    "map": {"task", "it"},
    "starmap": {"task", "it"},
}


@dataclass(slots=True)
class Node:
    """One signature: a chain, a group, a chord, chunks, a loop (map, starmap), or one task."""

    path: str
    """Where it stands, such as ``chain[2].group[0]``; empty for the canvas itself."""
    kind: str
    """``chain``, ``group``, ``chord``, ``chunks``, ``map``, ``starmap`` or ``task``."""
    signature: Mapping[str, Any]
    app: Celery | None
    name: str
    """Of the task: its own, or the one that chunks and loops call."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """For a chord, those that it hands to its header."""
    options: Mapping[str, Any] = field(default_factory=dict)
    is_immutable: bool = False
    children: "list[Node]" = field(default_factory=list)
    """Steps of a chain, members of a group or of a chord's header."""
    body: "Node | None" = None
    """Of a chord."""
    items: list[Any] = field(default_factory=list)
    """What chunks and loops go through."""

    @property
    def who(self) -> str:
        """Path and name, for messages."""
        name = self.name if self.kind == "task" else f"{self.kind} of {self.name}" if self.name else f"this {self.kind}"
        return f"{self.path}: {name}" if self.path else name


def read_signature(signature: Any) -> Node:
    """Return a canvas as nodes.

    Args:
        signature: A Signature, or the dict that its JSON gives.

    Raises:
        CanvasError: Something in it is no signature, or it has no end.
    """
    return _Reader().read(signature)


class _Reader:
    def __init__(self) -> None:
        self._tasks = 0

    def read(self, signature: Any) -> Node:
        root = _node(signature, "", None)
        pending = [(root, 0)]
        while pending:  # and no recursion: a chain of many chords is nested as deeply
            node, depth = pending.pop()
            if depth > MAX_DEPTH:
                raise CanvasError(f"{node.who} is nested more than {MAX_DEPTH} deep.")
            self._expand(node)
            pending += [(child, depth + (node.kind != "chain")) for child in reversed(node.children)]
            if node.body is not None:
                pending.append((node.body, depth))
        return root

    def _expand(self, node: Node) -> None:
        """Read what a node holds."""
        kwargs = node.signature.get("kwargs") or {}
        if node.kind == "task":
            self._count(node)
            return
        if unknown := kwargs.keys() - _KWARGS[node.kind]:
            raise CanvasError(f"{node.who} has keyword arguments {sorted(unknown)}, which Celery hands to nobody.")
        inside = f"{node.path}.{node.kind}" if node.path else node.kind
        match node.kind:
            case "chain" | "group":
                node.children = self._children(node, kwargs.get("tasks"), inside)
            case "chord":
                inside_header = f"{inside}.header"
                header = kwargs.get("header")
                if isinstance(header, Mapping) and header.get("task") in ("celery.group", "celery.chain"):
                    header = (header.get("kwargs") or {}).get("tasks")  # so does Celery
                elif isinstance(header, Mapping):
                    header = [header]
                node.children = self._children(node, header, inside_header)
                if kwargs.get("body") is None:
                    raise CanvasError(f"{node.who} has no body: add one, or use a group.")
                node.body = _node(kwargs["body"], f"{inside}.body", node.app)
            case _:
                node.items = _listed(kwargs.get("it"), node)

    def _children(self, node: Node, given: Any, inside: str) -> list[Node]:
        return [_node(each, f"{inside}[{index}]", node.app) for index, each in enumerate(_listed(given, node))]

    def _count(self, node: Node) -> None:
        self._tasks += 1
        if self._tasks > MAX_TASKS:
            raise CanvasError(f"{node.who} is one task too many: a canvas job has at most {MAX_TASKS:,}.")


def _node(signature: Any, path: str, app: Celery | None) -> Node:
    where = f"{path}: " if path else ""
    if not isinstance(signature, Mapping):
        raise CanvasError(f"{where}expected a Celery signature, such as add.s(2, 2), not {_kind_of(signature)}.")
    if type(signature) not in _CLASSES or signature.get("subtask_type") not in _TYPES:
        kind = signature.get("subtask_type") or type(signature).__name__
        raise CanvasError(
            f"{where}{kind} is a signature type of your own, whose meaning only its code knows; use Celery's."
        )
    name = signature.get("task")
    if not isinstance(name, str) or not name:
        raise CanvasError(f"{where}expected a Celery signature, but this has no task name: {signature!r:.80}.")
    kind = name.removeprefix("celery.")
    if not name.startswith("celery.") or kind not in CANVAS_KINDS:
        kind = "task"
    kwargs = signature.get("kwargs") or {}
    return Node(
        path,
        kind,
        signature,
        getattr(signature, "_app", None) or app,
        name if kind == "task" else _name_of(kwargs.get("task"), where) if kind in CANVAS_KINDS[3:] else "",
        tuple(signature.get("args") or ()),
        kwargs if kind == "task" else kwargs.get("kwargs") or {} if kind == "chord" else {},
        signature.get("options") or {},
        bool(signature.get("immutable")),
    )


def _listed(given: Any, node: Node) -> list[Any]:
    """Return a list of what may be a generator, unless it has no end."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise CanvasError(f"{node.who} needs a list, not {_kind_of(given)}.")
    found = list(islice(given, MAX_TASKS + 1))
    if len(found) > MAX_TASKS:
        raise CanvasError(f"{node.who} has more than {MAX_TASKS:,} members, or a generator without end.")
    return found


def _name_of(task: Any, where: str) -> str:
    """Return the name of the task that chunks and loops call."""
    name = task.get("task") if isinstance(task, Mapping) else getattr(task, "name", task)
    if not isinstance(name, str) or not name:
        raise CanvasError(f"{where}expected a Celery task to call for each item, not {_kind_of(task)}.")
    return name


def _kind_of(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"{type(value).__name__} {value!r:.80}"
