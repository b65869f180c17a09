"""Fold a graph of single tasks into groups, so that edges between groups say exactly what edges between tasks said."""

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from tilebox_celery.errors import DependencyError


class GroupGraph(NamedTuple):
    """Tasks folded into groups."""

    groups: list[int]
    """Number of the group of each task."""
    group_count: int
    edges_from: list[int]
    """Groups that others wait for ..."""
    edges_to: list[int]
    """... and the groups that wait; always the larger number."""


def group_by_dependencies(depends_on: Sequence[Sequence[int]]) -> GroupGraph:
    """Group tasks with equal dependencies and equal dependents.

    If a task of one group waits for a task of another, then, sets being equal, all of the one wait for all of the
    other: so group edges state no more and no less than was asked. The work grows with the number of tasks plus the
    sizes of the *different* dependency sets.

    Args:
        depends_on: For each task the positions of the tasks that it waits for.

    Raises:
        DependencyError: A position does not exist, or tasks wait for each other.

    Example:
        >>> group_by_dependencies([[], [], [0, 1]])
        GroupGraph(groups=[0, 0, 1], group_count=2, edges_from=[0], edges_to=[1])
    """
    count = len(depends_on)
    if not any(depends_on):
        return GroupGraph([0] * count, min(count, 1), [], [])
    needs, sets = _number_sets(depends_on)
    needed_by: list[list[int]] = [[] for _ in range(count)]
    for number, members in enumerate(sets):
        for member in members:
            needed_by[member].append(number)
    groups, members_of_needs = _number_groups(needs, needed_by)
    edges: dict[tuple[int, int], None] = {}
    for number, members in enumerate(sets):
        sources = sorted({groups[member] for member in members})
        for target in members_of_needs[number]:
            edges.update(dict.fromkeys((source, target) for source in sources))
    graph = GroupGraph(
        groups,
        max(groups) + 1,
        [source for source, _ in edges],
        [target for _, target in edges],
    )
    return graph if all(source < target for source, target in edges) else _in_order(graph)


def _number_sets(depends_on: Sequence[Sequence[int]]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Give each different dependency set a number; return the number for each task, and the sets."""
    count = len(depends_on)
    numbers: dict[tuple[int, ...], int] = {}
    by_identity: dict[int, int] = {}  # siblings share one tuple, which need not be hashed for each of them
    needs: list[int] = []
    for index, given in enumerate(depends_on):
        number = by_identity.get(id(given))
        if number is None:
            key = _checked(index, given, count)
            number = by_identity[id(given)] = numbers.setdefault(key, len(numbers))
        needs.append(number)
    return needs, list(numbers)


def _checked(index: int, given: Sequence[int], count: int) -> tuple[int, ...]:
    key = tuple(given) if len(given) < 2 else tuple(sorted(set(given)))
    if key and not (key[0] >= 0 and key[-1] < count):
        wrong = key[0] if key[0] < 0 else key[-1]
        raise DependencyError(f"Task {index} depends on task {wrong}, but there are only the tasks 0 to {count - 1}.")
    return key


def _number_groups(needs: list[int], needed_by: list[list[int]]) -> tuple[list[int], dict[int, list[int]]]:
    """Number groups by first member; return the group of each task, and the groups of each dependency set."""
    numbers: dict[tuple[int, tuple[int, ...]], int] = {}
    groups_of: dict[int, list[int]] = {}
    groups: list[int] = []
    for need, users in zip(needs, needed_by, strict=True):
        key = (need, tuple(users))
        number = numbers.get(key)
        if number is None:
            number = numbers[key] = len(numbers)
            groups_of.setdefault(need, []).append(number)
        groups.append(number)
    return groups, groups_of


def _in_order(graph: GroupGraph) -> GroupGraph:
    """Renumber groups so that dependencies come first, otherwise by first member."""
    waits = [0] * graph.group_count
    followers: list[list[int]] = [[] for _ in waits]
    for source, target in _edges(graph):
        waits[target] += 1
        followers[source].append(target)
    ready = [group for group, open_edges in enumerate(waits) if not open_edges]
    heapify(ready)
    order: list[int] = []
    while ready:
        group = heappop(ready)
        order.append(group)
        for target in followers[group]:
            waits[target] -= 1
            if not waits[target]:
                heappush(ready, target)
    if len(order) < graph.group_count:
        raise DependencyError(_name_cycle(graph, waits))
    rank = {group: number for number, group in enumerate(order)}
    return GroupGraph(
        [rank[group] for group in graph.groups],
        graph.group_count,
        [rank[group] for group in graph.edges_from],
        [rank[group] for group in graph.edges_to],
    )


def _name_cycle(graph: GroupGraph, waits: list[int]) -> str:
    """Walk from a waiting group to what it waits for until one comes back, and name a task of each."""
    before = {target: source for source, target in _edges(graph) if waits[source] and waits[target]}
    seen: dict[int, None] = {}
    group = next(iter(before))
    while group not in seen:
        seen[group] = None
        group = before[group]
    circle = list(seen)[list(seen).index(group) :]
    tasks = [graph.groups.index(each) for each in sorted(circle)]
    if len(tasks) == 1:
        return f"Task {tasks[0]} depends on itself."
    names = ", ".join(map(str, tasks[:10])) + (", ..." if len(tasks) > 10 else "")
    return f"The tasks {names} wait for each other; a task graph has no cycles."


def _edges(graph: GroupGraph) -> Iterable[tuple[int, int]]:
    return zip(graph.edges_from, graph.edges_to, strict=True)
