"""State a graph of ledger tasks as a canvas, or name the dependency that no canvas can state.

Canvas states just the series-parallel graphs: step after step, and side by side. Tasks that wait for the same tasks
and are waited for by the same tasks are one bundle; each set of dependencies is a joint, and a bundle leads from the
joint of what it waits for to the joint that it belongs to. A series-parallel graph shrinks to one bundle when two
bundles in a row, and two between the same joints, are put together again and again; any other one gets stuck.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tilebox_celery.dispatch.canvas_leaf import ledger_leaf, ledger_task
from tilebox_celery.dispatch.canvas_shape import Group, Leaf, Steps
from tilebox_celery.errors import CanvasError
from tilebox_celery.model.task_ids import public_task_id

if TYPE_CHECKING:
    from tilebox_celery.ledger.queries_canvas import GraphTask, JobGraph

SOURCE, SINK = -1, -2
LARGEST_REDUCED = 10_000
"""Groups of one family up to which implied dependencies are recognised; the work grows with their square."""


def steps_of_graph(graph: "JobGraph") -> Steps:
    """Return the tasks of a job as a canvas; the subtasks of a task are the steps behind it, and name it as parent.

    Raises:
        CanvasError: Canvas cannot state a dependency, or a task's input is not JSON.
    """
    families: dict[int | None, list[GraphTask]] = defaultdict(list)
    for task in graph.tasks:
        families[task.parent_id].append(task)
    followers: dict[int, list[int]] = defaultdict(list)
    for source, target in graph.edges:
        followers[source].append(target)
    below: dict[int, deque[Leaf | Group]] = {}
    for parent, tasks in _deepest_first(families):
        steps = _Family(graph.key, tasks, followers, below).steps()
        if parent is None:
            return list(steps)
        below[parent] = steps
    raise CanvasError("The job has no tasks: there is nothing to state.")


def _deepest_first(families: Mapping[int | None, list["GraphTask"]]) -> list[tuple[int | None, list["GraphTask"]]]:
    """Return the families so that each comes after those below it."""
    order: list[tuple[int | None, list[GraphTask]]] = []
    pending: list[int | None] = [None]
    while pending:
        parent = pending.pop()
        if parent in families:
            order.append((parent, families[parent]))
            pending += [task.id for task in families[parent]]
    return order[::-1]


class _Bundle(NamedTuple):
    """Steps between two joints."""

    rank: int
    """The smallest group in it: what was submitted first is written first."""
    steps: deque[Leaf | Group]


class _Family:
    """The tasks of one parent, by group."""

    def __init__(
        self,
        job_key: int,
        tasks: Sequence["GraphTask"],
        followers: Mapping[int, Sequence[int]],
        below: dict[int, deque[Leaf | Group]],
    ) -> None:
        self.job_key = job_key
        self.members: dict[int, list[GraphTask]] = defaultdict(list)
        for task in tasks:
            self.members[task.group_id].append(task)
        self.groups = sorted(self.members)  # a group's number is larger than those that it waits for
        self.followers = _without_implied(self.groups, followers)
        self.below = below

    def steps(self) -> deque[Leaf | Group]:
        starts, ends = self._joints()
        bundles = {group: _Bundle(group, self._side_by_side(self.members[group])) for group in self.groups}
        return self._shrink(bundles, starts, ends)

    def _joints(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return for each group the joints that it starts and ends at."""
        numbers: dict[tuple[int, ...], int] = {(): SINK}
        ends = {group: numbers.setdefault(tuple(self.followers[group]), len(numbers)) for group in self.groups}
        starts = dict.fromkeys(self.groups, SOURCE)
        first: dict[int, int] = {}
        for group in self.groups:
            for follower in self.followers[group]:
                if first.setdefault(follower, group) != group and ends[first[follower]] != ends[group]:
                    raise self._crossing(first[follower], group, follower)
                starts[follower] = ends[group]
        return starts, ends

    def _shrink(self, bundles: dict[int, _Bundle], starts: dict[int, int], ends: dict[int, int]) -> deque[Leaf | Group]:
        between: dict[tuple[int, int], _Bundle] = {}
        into: dict[int, set[int]] = defaultdict(set)
        out: dict[int, set[int]] = defaultdict(set)

        def add(start: int, end: int, bundle: _Bundle) -> None:
            known = between.get((start, end))
            between[start, end] = bundle if known is None else _beside(known, bundle)
            into[end].add(start)
            out[start].add(end)

        for group in self.groups:
            add(starts[group], ends[group], bundles[group])
        pending = [joint for joint in list(into) if joint != SINK]
        while pending:
            joint = pending.pop()
            if len(into[joint]) != 1 or len(out[joint]) != 1:
                continue
            (start,), (end,) = into.pop(joint), out.pop(joint)
            out[start].discard(joint)
            into[end].discard(joint)
            add(start, end, _behind(between.pop((start, joint)), between.pop((joint, end))))
            pending += [each for each in (start, end) if each >= 0]
        if len(between) > 1:
            joint = next(end for _, end in between if end != SINK)
            source = next(group for group in self.groups if ends[group] == joint)
            target = next(group for group in self.groups if starts[group] == joint)
            raise CanvasError(f"{self._edge(source, target)} cannot be stated as a canvas: the paths around it cross.")
        return between[SOURCE, SINK].steps

    def _side_by_side(self, tasks: Sequence["GraphTask"]) -> deque[Leaf | Group]:
        if len(tasks) == 1:
            return self._with_subtasks(tasks[0])
        members: list[Steps] = []
        for task in tasks:
            members += _as_members(self._with_subtasks(task))
        return deque([Group(members)])

    def _with_subtasks(self, task: "GraphTask") -> deque[Leaf | Group]:
        steps = self.below.pop(task.id, None) or deque()
        key = str(public_task_id(self.job_key, task.id)) if steps else None
        parent = None if task.parent_id is None else str(public_task_id(self.job_key, task.parent_id))
        try:
            steps.appendleft(ledger_leaf(ledger_task(task, key, parent)))
        except ValueError:
            raise CanvasError(f"{self._name(task)} cannot be a part of a canvas: its input is not JSON.") from None
        return steps

    def _crossing(self, one: int, other: int, follower: int) -> CanvasError:
        only = set(self.followers[one]) ^ set(self.followers[other])
        more = min(only)
        giver, lacking = (one, other) if more in self.followers[one] else (other, one)
        return CanvasError(
            f"{self._edge(giver, follower)} cannot be stated as a canvas: {self._first(more)} depends on "
            f"{self._first(giver)} too, but not on {self._first(lacking)}."
        )

    def _edge(self, source: int, target: int) -> str:
        return f"The dependency of {self._first(target)} on {self._first(source)}"

    def _first(self, group: int) -> str:
        return self._name(self.members[group][0])

    def _name(self, task: "GraphTask") -> str:
        return f"{task.display or task.identifier.name} ({public_task_id(self.job_key, task.id)})"


def _without_implied(groups: Sequence[int], followers: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    """Leave out dependencies that follow from others: on a, and on b which depends on a."""
    kept = {group: sorted(followers.get(group, ())) for group in groups}
    if len(groups) > LARGEST_REDUCED:
        return kept
    number = {group: index for index, group in enumerate(groups)}
    reached: dict[int, int] = {}  # per group, as bits: what can be reached from it, and itself
    for group in reversed(groups):
        bits = 0
        direct = kept[group]
        kept[group] = []
        for follower in direct:  # a later one cannot lead to an earlier one
            if not bits >> number[follower] & 1:
                kept[group].append(follower)
                bits |= reached[follower]
        reached[group] = bits | 1 << number[group]
    return kept


def _behind(one: _Bundle, other: _Bundle) -> _Bundle:
    if len(one.steps) >= len(other.steps):
        one.steps.extend(other.steps)
        return one
    other.steps.extendleft(reversed(one.steps))
    return other._replace(rank=one.rank)


def _beside(one: _Bundle, other: _Bundle) -> _Bundle:
    first, second = (one, other) if one.rank < other.rank else (other, one)
    members = _as_members(first.steps)
    members += _as_members(second.steps)
    return _Bundle(first.rank, deque([Group(members)]))


def _as_members(steps: deque[Leaf | Group]) -> list[Steps]:
    only = steps[0]
    return only.members if len(steps) == 1 and isinstance(only, Group) else [list(steps)]
