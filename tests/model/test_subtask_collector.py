"""What can be submitted from a running task, and what is refused on the way in."""

from typing import Any, ClassVar

import pytest

from tilebox_celery.errors import ArgumentError, DependencyError, InputError, TooManySubtasks
from tilebox_celery.model.context import ExecutionContext
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.job import Cluster
from tilebox_celery.model.submission import (
    FutureTask,
    SubtaskCollector,
    check_subtask_limit,
    group_tasks,
    subtask_limit,
)
from tilebox_celery.model.task import Task


class Leaf(Task):
    x: Any = 0


class Named(Task):
    @staticmethod
    def identifier() -> tuple[str, str]:
        return "tilebox.com/example/Named", "v1.3"


class Wide(Task):
    max_subtasks: ClassVar[int | None] = 1000


class Endless(Task):
    max_subtasks: ClassVar[int | None] = None


@pytest.mark.clause("1.3-1")
def test_one_subtask() -> None:
    """submit_subtask returns a handle with the task, its position, its dependencies and its options."""
    collector = SubtaskCollector()

    first = collector.submit_subtask(Leaf(1))
    second = collector.submit_subtask(Leaf(2), [first], "gpu-abc", 3, True, limit=("copernicus", 4))

    assert isinstance(second, FutureTask)
    assert (first.index, second.index) == (0, 1)
    assert second.task == Leaf(2)
    assert list(second.depends_on) == [0]
    assert (second.cluster, second.max_retries, second.optional, second.limit) == (
        "gpu-abc",
        3,
        True,
        ("copernicus", 4),
    )
    assert repr(second) == "FutureTask(index=1, task=Leaf(x=2), depends_on=[0])"
    assert collector.futures == [first, second]


@pytest.mark.clause("2.context-1")
def test_many_subtasks() -> None:
    """submit_subtasks returns one handle per task in order, also for a generator that submits by itself."""
    collector = SubtaskCollector()

    def leaves() -> Any:
        for x in range(3):
            collector.submit_subtask(Leaf("inner"))
            yield Leaf(x)

    futures = collector.submit_subtasks(leaves(), cluster="gpu-abc", max_retries=2)

    assert [future.task.x for future in futures if isinstance(future.task, Leaf)] == [0, 1, 2]
    assert [future.index for future in collector.futures] == list(range(6))
    assert {(future.cluster, future.max_retries) for future in futures} == {("gpu-abc", 2)}


def test_many_subtasks_all_or_none() -> None:
    """If one of several tasks cannot be stored, none of them is submitted."""
    collector = SubtaskCollector()

    with pytest.raises(InputError):
        collector.submit_subtasks([Leaf(1), Leaf(object())])

    assert collector.futures == []


@pytest.mark.clause("1.3-6")
def test_submit_batch() -> None:
    """The deprecated submit_batch hands its arguments to submit_subtasks."""

    gatherer: Any = SubtaskCollector()

    futures = ExecutionContext.submit_batch(gatherer, [Leaf(1), Leaf(2)], "gpu-abc", 5)

    assert [(future.cluster, future.max_retries) for future in futures] == [("gpu-abc", 5)] * 2


def test_stored_when_submitted() -> None:
    """A task that is changed after it was submitted is stored as it was."""
    collector = SubtaskCollector()
    task = Leaf([1])

    future = collector.submit_subtask(task)
    task.x.append(2)

    assert future.input == b"[1]"


@pytest.mark.clause("1.4-8")
def test_submitted_version() -> None:
    """The batch records the identifier of each class; a display is kept only where it differs from the name."""
    collector = SubtaskCollector()
    collector.submit_subtasks([Leaf(), Named()])

    batch = group_tasks(collector.futures)

    assert batch.identifiers == [TaskIdentifier("Leaf", "v0.0"), TaskIdentifier("tilebox.com/example/Named", "v1.3")]
    assert batch.displays == [None, "Named"]


@pytest.mark.clause("2.context-2")
def test_forms_of_depends_on() -> None:
    """depends_on takes nothing, one handle, or any iterable of handles, and counts each once."""
    collector = SubtaskCollector()
    a, b = collector.submit_subtasks([Leaf(1), Leaf(2)])

    forms: list[Any] = [None, [], a, [b, a, b], (a,), {a, b}, iter([b])]
    futures = [collector.submit_subtask(Leaf(3), depends_on=form) for form in forms]

    assert [future.depends_on for future in futures] == [(), (), (0,), (0, 1), (0,), (0, 1), (1,)]


@pytest.mark.clause("1.3-10", "2.context-2")
def test_dependency_of_another_context() -> None:
    """A handle of another context is refused, even if its position exists here, and nothing is submitted."""
    other, collector = SubtaskCollector(), SubtaskCollector()
    foreign = other.submit_subtask(Leaf(1))
    collector.submit_subtask(Leaf(1))

    with pytest.raises(DependencyError, match="submitted elsewhere; a task can depend only on subtasks of the same"):
        collector.submit_subtask(Leaf(2), depends_on=foreign)
    with pytest.raises(DependencyError, match="submitted elsewhere"):
        collector.submit_subtasks([Leaf(2)], depends_on=[other.submit_subtask(Leaf(2)), foreign])

    assert len(collector.futures) == 1


@pytest.mark.clause("2.context-2")
@pytest.mark.parametrize("wrong", [3, "abc", [Leaf(1)], Leaf(1), [None]])
def test_dependency_of_a_wrong_type(wrong: Any) -> None:
    """Something that is no handle is refused with a TypeError that says what is expected."""
    with pytest.raises(TypeError, match="depends_on takes what submit_subtask returned"):
        SubtaskCollector().submit_subtask(Leaf(2), depends_on=wrong)


@pytest.mark.clause("1.3-11")
def test_dependency_across_clusters() -> None:
    """A task of one cluster may depend on a task of another; without a name it is the parent's."""
    collector = SubtaskCollector()
    first = collector.submit_subtask(Leaf(1), cluster="cpu-abc")
    collector.submit_subtask(Leaf(2), depends_on=first, cluster=Cluster("gpu-abc", "GPU"))
    collector.submit_subtask(Leaf(3))

    batch = group_tasks(collector.futures)

    assert batch.clusters == ["cpu-abc", "gpu-abc", None]
    assert (batch.edges_from, batch.edges_to) == ([batch.groups[0]], [batch.groups[1]])


@pytest.mark.parametrize("wrong", ["", 3, object(), b"gpu", Cluster("", "")])
def test_wrong_cluster(wrong: Any) -> None:
    """A cluster that is neither a slug nor has one is refused."""
    with pytest.raises(ArgumentError, match="Expected a cluster or its slug"):
        SubtaskCollector().submit_subtask(Leaf(), cluster=wrong)


@pytest.mark.parametrize("wrong", [-1, 1.5, "3", True, None, 2**31])
def test_wrong_max_retries(wrong: Any) -> None:
    """max_retries must be a whole number of 0 or more, for one task and for many."""
    collector = SubtaskCollector()

    with pytest.raises(ArgumentError, match="max_retries must be a whole number of 0 or more"):
        collector.submit_subtask(Leaf(), max_retries=wrong)
    with pytest.raises(ArgumentError, match="max_retries must be a whole number of 0 or more"):
        collector.submit_subtasks([], max_retries=wrong)


@pytest.mark.parametrize(
    "wrong", ["a", ("a",), ("a", 0), ("a", True), ("a", 1.0), ("", 1), (1, 1), ("a", 1, 2), ("a\0", 1), ("a" * 257, 1)]
)
def test_wrong_limit(wrong: Any) -> None:
    """A limit must be a key and a number of at least 1, for one task and for many."""
    collector = SubtaskCollector()

    with pytest.raises(ArgumentError, match=r"limit must be a key and a number of at least 1, such as"):
        collector.submit_subtask(Leaf(), limit=wrong)
    with pytest.raises(ArgumentError, match=r"limit must be a key and a number of at least 1, such as"):
        collector.submit_subtasks([], limit=wrong)


def test_largest_numbers() -> None:
    """The largest numbers that the ledger can hold are taken."""
    future = SubtaskCollector().submit_subtask(Leaf(), max_retries=2**31 - 1, limit=("a" * 256, 2**31 - 1))

    assert (future.max_retries, future.limit) == (2**31 - 1, ("a" * 256, 2**31 - 1))


def test_limit_as_list() -> None:
    """A limit that was read from JSON is a list, which is the same."""
    assert SubtaskCollector().submit_subtask(Leaf(), limit=["a", 1]).limit == ("a", 1)  # type: ignore[arg-type] # JSON


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [(Leaf, "Leaf is a task class; submit an instance"), (3, "int is not a task!"), (None, "NoneType is not a task!")],
)
def test_no_task(wrong: Any, sentence: str) -> None:
    """Something that is no task is refused, and a class gets a hint."""
    collector = SubtaskCollector()

    with pytest.raises(TypeError, match=sentence):
        collector.submit_subtask(wrong)
    with pytest.raises(TypeError, match=sentence):
        collector.submit_subtasks([Leaf(), wrong])

    assert collector.futures == []


def test_one_task_for_many() -> None:
    """submit_subtasks of a single task says which method to use."""
    with pytest.raises(TypeError, match="use submit_subtask for one Leaf"):
        SubtaskCollector().submit_subtasks(Leaf())  # type: ignore[arg-type] # the mistake under test


@pytest.mark.clause("1.3-7")
def test_subtask_limit() -> None:
    """64 subtasks are allowed by default, 65 are not, and the message says what to do."""
    check_subtask_limit(Leaf, 64, default=64)

    with pytest.raises(TooManySubtasks, match="Task Leaf submitted 65 subtasks, but one execution may submit 64; "):
        check_subtask_limit(Leaf, 65, default=64)


@pytest.mark.clause("2.limits-1")
def test_subtask_limit_of_a_class() -> None:
    """A class may state another limit, or none, and its subclasses inherit it."""

    class Wider(Wide): ...

    assert subtask_limit(Wider, default=64) == 1000
    check_subtask_limit(Endless, 100_000, default=64)
    with pytest.raises(TooManySubtasks, match="may submit 1000"):
        check_subtask_limit(Wider, 1001, default=64)
