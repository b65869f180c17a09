"""Task groups say exactly what the dependencies of single tasks said."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.errors import DependencyError
from tilebox_celery.model.grouping import GroupGraph, group_by_dependencies
from tilebox_celery.model.submission import FutureTask, SubtaskCollector, group_tasks
from tilebox_celery.model.task import Task


class Leaf(Task):
    x: int = 0


def edges(graph: GroupGraph) -> set[tuple[int, int]]:
    return set(zip(graph.edges_from, graph.edges_to, strict=True))


def task_edges(graph: GroupGraph) -> set[tuple[int, int]]:
    """Translate edges between groups back into edges between tasks."""
    wanted, tasks = edges(graph), list(enumerate(graph.groups))
    return {(a, b) for a, source in tasks for b, target in tasks if (source, target) in wanted}


@st.composite
def forward_graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Draw graphs as user code builds them: dependencies on earlier tasks, often the same set for several tasks."""
    count = draw(st.integers(0, 14))
    sets: list[tuple[int, ...]] = [()]
    graph: list[tuple[int, ...]] = []
    for index in range(count):
        if index and draw(st.booleans()):
            sets.append(tuple(draw(st.lists(st.integers(0, index - 1), max_size=5))))
        graph.append(draw(st.sampled_from(sets)))
    return graph


@st.composite
def shuffled_graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Draw graphs without cycles whose tasks stand in any order."""
    graph = draw(forward_graphs())
    place = draw(st.permutations(range(len(graph))))
    shuffled: list[tuple[int, ...]] = [()] * len(graph)
    for index, needs in enumerate(graph):
        shuffled[place[index]] = tuple(place[need] for need in needs)
    return shuffled


def check_exact(graph: list[tuple[int, ...]]) -> GroupGraph:
    grouped = group_by_dependencies(graph)
    asked = {(need, index) for index, needs in enumerate(graph) for need in needs}
    assert task_edges(grouped) == asked
    assert all(source < target for source, target in edges(grouped))
    assert len(edges(grouped)) == len(grouped.edges_from)
    assert sorted(set(grouped.groups)) == list(range(grouped.group_count))
    return grouped


@given(forward_graphs())
def test_groups_are_exact(graph: list[tuple[int, ...]]) -> None:
    """Edges between groups mean the asked edges between tasks, no more and no less, in topological order."""
    check_exact(graph)


@given(shuffled_graphs())
def test_groups_of_any_order_are_exact(graph: list[tuple[int, ...]]) -> None:
    """The same holds where tasks stand before their dependencies, as in a canvas."""
    check_exact(graph)


@given(forward_graphs())
def test_groups_are_as_few_as_can_be(graph: list[tuple[int, ...]]) -> None:
    """Two tasks are in one group if and only if they have equal dependencies and equal dependents."""
    grouped = group_by_dependencies(graph)

    needs = [frozenset(each) for each in graph]
    users = [frozenset(b for b, each in enumerate(graph) if a in each) for a in range(len(graph))]
    for a in range(len(graph)):
        for b in range(len(graph)):
            assert (grouped.groups[a] == grouped.groups[b]) == (needs[a] == needs[b] and users[a] == users[b])


@given(forward_graphs())
def test_groups_are_numbered_by_first_member(graph: list[tuple[int, ...]]) -> None:
    """As long as tasks stand behind their dependencies, groups are numbered as they first appear."""
    grouped = group_by_dependencies(graph)

    assert list(dict.fromkeys(grouped.groups)) == list(range(grouped.group_count))


@pytest.mark.clause("1.3-12")
@given(st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=7, max_size=7))
def test_cycles_are_refused(graph: list[list[int]]) -> None:
    """A graph is grouped if and only if it has no cycle; otherwise the message names tasks that are on one."""
    reached = [set(needs) for needs in graph]
    for _ in graph:
        reached = [needs.union(*(reached[need] for need in needs)) for needs in reached]
    on_cycle = {index for index in range(7) if index in reached[index]}

    if not on_cycle:
        check_exact([tuple(needs) for needs in graph])
        return
    with pytest.raises(DependencyError) as raised:
        group_by_dependencies(graph)

    named = {int(word) for word in str(raised.value).replace(",", " ").split() if word.isdigit()}
    assert named
    assert named <= on_cycle


def test_cycle_sentences() -> None:
    """A self dependency and a cycle each have a sentence of their own."""
    with pytest.raises(DependencyError, match=r"^Task 1 depends on itself\.$"):
        group_by_dependencies([(), (1,)])
    with pytest.raises(DependencyError, match=r"^The tasks 0, 2 wait for each other; a task graph has no cycles\.$"):
        group_by_dependencies([(2,), (), (0,), (2,)])


def test_long_cycle_is_abbreviated() -> None:
    """Of a cycle of many tasks ten are named."""
    with pytest.raises(DependencyError, match=r"^The tasks 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\. wait"):
        group_by_dependencies([((index + 1) % 50,) for index in range(50)])


@pytest.mark.parametrize(("needs", "wrong"), [((3,), 3), ((-1,), -1), ((0, 9), 9), ((-2, 0), -2)])
def test_unknown_position(needs: tuple[int, ...], wrong: int) -> None:
    """A dependency on a position that does not exist is refused."""
    sentence = rf"^Task 1 depends on task {wrong}, but there are only the tasks 0 to 2\.$"

    with pytest.raises(DependencyError, match=sentence):
        group_by_dependencies([(), needs, ()])


def test_nothing_submitted() -> None:
    """No tasks are no groups."""
    batch = group_tasks([])

    assert (len(batch), batch.groups, batch.group_count) == (0, [], 0)


def test_batch_lists_are_parallel() -> None:
    """Every list of a batch has one entry per task, in the order of submission."""
    collector = SubtaskCollector()
    tiles = collector.submit_subtasks([Leaf(1), Leaf(2)], max_retries=2, limit=("a", 1))
    collector.submit_subtask(Leaf(3), depends_on=tiles, optional=True, cluster="gpu-abc")

    batch = group_tasks(collector.futures)

    assert len(batch) == 3
    assert batch.inputs == [b"1", b"2", b"3"]
    assert batch.clusters == [None, None, "gpu-abc"]
    assert batch.max_retries == [2, 2, 0]
    assert batch.optionals == [False, False, True]
    assert batch.limits == [("a", 1), ("a", 1), None]
    assert (batch.groups, batch.group_count, batch.edges_from, batch.edges_to) == ([0, 0, 1], 2, [0], [1])


def flat(count: int) -> list[tuple[int, ...]]:
    return [()] * count


def fan_in(count: int) -> list[tuple[int, ...]]:
    return [*flat(count - 1), tuple(range(count - 1))]


def chain(count: int) -> list[tuple[int, ...]]:
    return [() if not index else (index - 1,) for index in range(count)]


def layers(count: int) -> list[tuple[int, ...]]:
    needs: list[tuple[int, ...]] = []
    while len(needs) < count:
        previous = tuple(range(max(len(needs) - 1000, 0), len(needs)))
        needs += [previous] * 1000
    return needs


@pytest.mark.parametrize(("shape", "groups"), [(flat, 1), (fan_in, 2), (chain, 100_000), (layers, 100)])
def test_large_graphs(shape: Callable[[int], list[tuple[int, ...]]], groups: int) -> None:
    """100,000 tasks are grouped in a time that grows with their number and not with its square."""
    graph = shape(100_000)
    futures = [FutureTask(index, Leaf(), needs) for index, needs in enumerate(graph)]

    start = time.process_time()
    batch = group_tasks(futures)
    seconds = time.process_time() - start

    assert batch.group_count == groups
    assert seconds < 5  # 0.02 to 0.6 s were measured on 2 shared cores; a quadratic way takes minutes
