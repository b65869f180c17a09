"""What a job says about the order of its tasks, to compare two jobs, and a reference executor of plans."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from canvas_project import TASKS
from celery import Task

from tilebox_celery.dispatch.canvas import CanvasPlan
from tilebox_celery.dispatch.canvas_shape import value_of
from tilebox_celery.ledger.queries_canvas import JobGraph

FUNCTIONS: Mapping[str, Task] = {task.name: task for task in TASKS}


def execute(plan: CanvasPlan) -> Any:
    """Run a plan in written order, which honours all dependencies, and return its result."""
    results: dict[int, Any] = {}
    for position, (leaf, source) in enumerate(zip(plan.wiring.leaves, plan.wiring.sources, strict=True)):
        function = FUNCTIONS[leaf.task].run
        handed = () if source is None else (value_of(source, results),)
        if leaf.loop is None:
            results[position] = function(*handed, *leaf.args, **leaf.kwargs)
        else:
            results[position] = [function(*item) if leaf.loop == "starmap" else function(item) for item in leaf.args]
    return value_of(plan.wiring.result, results)


def dependencies(graph: JobGraph) -> list[tuple[str, bytes, list[int]]]:
    """Return for each task of a canvas in written order: its name, its input, the positions that it waits for."""
    members = defaultdict(list)
    for position, task in enumerate(graph.tasks):
        members[task.group_id].append(position)
    needs = defaultdict(list)
    for source, target in graph.edges:
        needs[target] += members[source]
    return [(task.identifier.name, task.input, sorted(needs[task.group_id])) for task in graph.tasks]


def order(graph: JobGraph) -> set[tuple[bytes, bytes]]:
    """Return all pairs of tasks, by their inputs, of which the first must be over before the second starts."""
    by_id = {task.id: task for task in graph.tasks}
    children = defaultdict(list)
    for task in graph.tasks:
        children[task.parent_id].append(task.id)

    def subtree(task_id: int) -> Iterable[int]:
        yield task_id
        for child in children[task_id]:
            yield from subtree(child)

    groups = defaultdict(list)
    for task in graph.tasks:
        groups[task.group_id].append(task.id)
    pairs = {(task.parent_id, task.id) for task in graph.tasks if task.parent_id is not None}
    for source, target in graph.edges:
        pairs |= {
            (a, b) for one in groups[source] for a in subtree(one) for other in groups[target] for b in subtree(other)
        }
    return {(by_id[a].input, by_id[b].input) for a, b in closure(by_id, pairs)}


def closure(items: Iterable[int], pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return all pairs that follow."""
    after = defaultdict(set)
    for a, b in pairs:
        after[a].add(b)
    found = set()
    for item in items:
        pending = list(after[item])
        while pending:
            reached = pending.pop()
            if (item, reached) not in found:
                found.add((item, reached))
                pending += after[reached]
    return found


def crossing(count: int, after: set[tuple[int, int]]) -> Sequence[int] | None:
    """Return four tasks a, b, c, d of which just a < c, b < c, b < d hold: what no canvas can state."""
    return next(
        (
            (a, b, c, d)
            for a in range(count)
            for b in range(count)
            for c in range(count)
            for d in range(count)
            if len({a, b, c, d}) == 4
            and {(x, y) for x in (a, b, c, d) for y in (a, b, c, d) if (x, y) in after} == {(a, c), (b, c), (b, d)}
        ),
        None,
    )
