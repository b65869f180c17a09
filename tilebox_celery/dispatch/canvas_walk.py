"""Bring the nodes of a Celery canvas into normal form, and refuse what cannot be a job.

Celery rebuilds chains when they are made: a group with a step behind it becomes a chord, chords move into bodies,
groups of one are unrolled, empty ones dropped. What Celery does later, or only for objects and not for their JSON, is
done here in the same way, so that both give the same job.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from tilebox_celery.dispatch.canvas_leaf import read_ledger_task
from tilebox_celery.dispatch.canvas_options import check_json, check_options, read_options
from tilebox_celery.dispatch.canvas_read import Node, read_signature
from tilebox_celery.dispatch.canvas_shape import Group, Leaf, Steps
from tilebox_celery.dispatch.canvas_tasks import TaskFinder, check_task, ignores_result
from tilebox_celery.errors import CanvasError


class _Handed(NamedTuple):
    """What the canvas around hands to its first tasks."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    has_value: bool = False
    """There is a step before."""
    is_deaf: bool = False
    """An immutable canvas around keeps the value of the step before to itself."""


BEHIND = _Handed(has_value=True)


def walk(signature: Any) -> tuple[Steps, Mapping[str, str]]:
    """Return a canvas in normal form, and the task names that this process should know and does not, with their places.

    Args:
        signature: A Signature, or the dict that its JSON gives.

    Raises:
        CanvasError: It cannot be a job.
    """
    finder = TaskFinder()
    return _Walk(finder).steps(read_signature(signature), _Handed()), finder.unknown


class _Walk:
    def __init__(self, finder: TaskFinder) -> None:
        self._finder = finder

    def steps(self, root: Node, handed: _Handed) -> Steps:
        """Return a sequence; the body of a chord is the steps behind its header."""
        steps: Steps = []
        pending = [(root, handed)]
        while pending:
            node, handed = pending.pop()
            if node.kind == "task":
                steps.append(self._leaf(node, handed))
                continue
            check_options(node.options, node.who, of_leaf=False)
            if node.kind == "chain":
                children = list(_unrolled(node.children))
                handed = _inside(node, handed)
                pending += [(child, BEHIND) for child in reversed(children[1:])]
                pending += [(child, handed) for child in children[:1]]
            elif node.kind == "chord":
                steps.append(Group(self._members(node.children, _inside(node, handed))))
                assert node.body is not None, "the reader checked it"
                if _is_empty_chain(node.body):
                    raise CanvasError(f"{node.body.who} is empty: the body of a chord needs a step.")
                pending.append((node.body, BEHIND))
            elif node.kind == "group":
                # Celery hands the value on whatever the group says: immutable are its members.
                steps.append(Group(self._members(node.children, _inside(replace(node, is_immutable=False), handed))))
            elif node.kind == "chunks":
                steps.append(self._chunks(node))
            else:
                steps.append(self._loop(node, node.kind, node.items))
        return steps

    def _members(self, nodes: Iterable[Node], handed: _Handed) -> list[Steps]:
        """Return the members of a group; groups among them are flattened, empty chains dropped."""
        found: list[Steps] = []
        for node in nodes:
            if node.kind == "group":
                check_options(node.options, node.who, of_leaf=False)
                found += self._members(node.children, _inside(replace(node, is_immutable=False), handed))
            elif steps := self.steps(node, handed):
                found.append(steps)
        return found

    def _leaf(self, node: Node, handed: _Handed) -> Leaf:
        check_options(node.options, node.who, of_leaf=True)
        leaf = Leaf(node.name, node.args, node.kwargs, immutable=node.is_immutable or handed.is_deaf, path=node.path)
        if not node.is_immutable:
            leaf.args = (*handed.args, *node.args)
            leaf.kwargs = {**node.kwargs, **handed.kwargs}
        read_options(leaf, node.options, node.who)
        takes_value = handed.has_value and not leaf.immutable
        if read_ledger_task(leaf, node.who, takes_value=takes_value):
            return leaf
        task = self._finder.find(node.signature, leaf, node.app)
        leaf.ignores_result = ignores_result(task, node.options.get("ignore_result"))
        if task is not None:
            check_task(task, leaf, node.who, takes_value=takes_value)
        check_json([leaf.args, leaf.kwargs], f"{node.who} has arguments that are")
        return leaf

    def _loop(self, node: Node, loop: str, items: list[Any]) -> Leaf:
        """Return a leaf that calls a task for each item; of the signature in it, Celery takes nothing but the name."""
        leaf = Leaf(node.name, items, immutable=True, loop=loop, path=node.path)
        if node.kind == loop:
            read_options(leaf, node.options, node.who)
        task = self._finder.find((node.signature.get("kwargs") or {}).get("task"), leaf, node.app)
        if task is not None:
            check_task(task, leaf, node.who, takes_value=False)
        for item in items if loop == "starmap" else ():
            if isinstance(item, str | bytes | Mapping) or not isinstance(item, Iterable):
                raise CanvasError(f"{node.who} needs a list of arguments for each call, not {item!r:.80}.")
        check_json(items, f"{node.who} has arguments that are")
        return leaf

    def _chunks(self, node: Node) -> Group:
        size = (node.signature.get("kwargs") or {}).get("n")
        if type(size) is not int or size < 1:
            raise CanvasError(f"{node.who} have the size {size!r}: use a whole number of 1 or more.")
        items = node.items
        parts = [items[start : start + size] for start in range(0, len(items), size)]
        return Group([[self._loop(node, "starmap", part)] for part in parts], node.name, size)


def _inside(node: Node, handed: _Handed) -> _Handed:
    """Return what the first tasks in a canvas are handed: what it is handed itself, then its own arguments."""
    if node.is_immutable:
        return _Handed(node.args, node.kwargs, handed.has_value, is_deaf=True)
    return handed._replace(args=(*handed.args, *node.args), kwargs={**node.kwargs, **handed.kwargs})


def _unrolled(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield the steps of a chain: a group of one is its member, what is empty is no step unless it stands alone."""
    nothing: Node | None = None
    found = False
    for each in nodes:
        node = each
        if node.kind == "group" and not node.args:
            members = list(_flat(node))
            if not members:
                nothing = node
                continue
            if len(members) == 1:
                check_options(node.options, node.who, of_leaf=False)
                node = members[0]
        if not _is_empty_chain(node):
            found = True
            yield node
    if nothing is not None and not found:
        yield nothing


def _flat(node: Node) -> Iterator[Node]:
    for child in node.children:
        if child.kind == "group":
            yield from _flat(child)
        elif not _is_empty_chain(child):
            yield child


def _is_empty_chain(node: Node) -> bool:
    return node.kind == "chain" and all(_is_empty_chain(child) for child in node.children)
