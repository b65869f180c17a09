"""A job gives its canvas and its result back, and says in one sentence when it cannot."""

import json
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from canvas_orders import order
from canvas_project import add, app, do, fail, kept, mul, pack, total
from celery import chain, chord, chunks, group, xmap, xstarmap
from celery.canvas import _chain, _chord

from tilebox_celery.client.client import Client
from tilebox_celery.dispatch.canvas_shape import wire
from tilebox_celery.dispatch.canvas_walk import walk
from tilebox_celery.errors import ArgumentError, CanvasError, NotFoundError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.runner.task_runner import TaskRunner
from tilebox_celery.workflows import ExecutionContext, Task


def test_each_primitive_comes_back_as_itself(client: Client, cluster: Cluster) -> None:
    """chain, group, chord, map, starmap, chunks and a single call, with their arguments."""
    jobs = client.jobs()
    canvases: list[tuple[Any, type]] = [
        (chain(add.s(1, 1), add.s(2), mul.s(y=2)), _chain),
        (group(add.s(1, 1), add.s(2, 2)), group),
        (chord([add.s(1, 1), add.s(2, 2)], total.s()), _chord),
        (total.map([[1], [2]]), xmap),
        (add.starmap([[1, 2], [3, 4]]), xstarmap),
        (add.chunks([[1, 2], [3, 4], [5, 6]], 2), chunks),
    ]

    for canvas, kind in canvases:
        back = jobs.canvas(jobs.submit_canvas("canvas", canvas))

        assert type(back) is kind
        assert _call(back) == _call(canvas)


def _call(signature: Any) -> Any:
    """Return a signature as JSON, without what only Celery's constructors put into it."""
    return json.loads(
        json.dumps(signature, default=list),
        object_hook=lambda part: {key: part[key] for key in part if key not in ("subtask_type", "options")},
    )


def test_what_a_task_can_see_of_its_options_comes_back(client: Client, cluster: Cluster) -> None:
    """Immutability, headers, stamps, the name shown; routing does not, since the cluster routes."""
    given = pack.si(1).set(headers={"who": "me"}, shadow="Pack it", queue="fast", stamped_headers=["mark"], mark="x")

    back = client.jobs().canvas(client.jobs().submit_canvas("options", given))

    assert back.immutable
    assert back.options == {"headers": {"who": "me"}, "shadow": "Pack it", "stamped_headers": ["mark"], "mark": "x"}


def test_the_name_shown_is_the_shadow(client: Client, cluster: Cluster) -> None:
    """Else it is the name of the task."""
    job = client.jobs().submit_canvas("names", chain(add.s(1, 1).set(shadow="First"), add.s(1)))

    assert [task.display for task in client.jobs().tasks(job)] == ["First", "canvas_project.add"]


def test_a_canvas_that_comes_back_can_be_run_by_celery(client: Client, cluster: Cluster) -> None:
    """With the app that knows its tasks it is a signature like any other."""
    jobs = client.jobs()
    job = jobs.submit_canvas("canvas", chain(add.s(1, 1), group(add.s(1), mul.s(5)), total.s()))

    back = jobs.canvas(job, app=app)

    assert back.apply().get() == 13


def test_a_canvas_on_its_way_knows_no_result(client: Client, runner: TaskRunner) -> None:
    """One sentence for each state, with the next step."""
    jobs = client.jobs()
    waiting = jobs.submit_canvas("waiting", add.s(1, 1))
    with pytest.raises(ArgumentError, match=r"has no result, it is SUBMITTED: wait for it with jobs.wait\(job\)"):
        jobs.result(waiting)

    jobs.cancel(waiting)
    with pytest.raises(ArgumentError, match=r"has no result, it is CANCELED: jobs.retry\(job\) lets it go on"):
        jobs.result(waiting)

    failed = jobs.submit_canvas("failed", fail.s("no scene"))
    runner.run_all()
    with pytest.raises(ArgumentError, match=r"has no result, it is FAILED: jobs.tasks\(job\) shows which task failed"):
        jobs.result(failed)


def test_what_is_no_canvas_has_no_result(client: Client, runner: TaskRunner) -> None:
    """A workflow's job, and no job at all."""
    jobs = client.jobs()
    job = jobs.submit("workflow", Leaf("a"))

    with pytest.raises(ArgumentError, match="was not submitted as a canvas"):
        jobs.result(job)
    for ask in (jobs.result, jobs.canvas):
        with pytest.raises(NotFoundError, match="No such job"):
            ask(uuid4())


class Leaf(Task):
    """Does nothing."""

    name: str

    def execute(self, context: ExecutionContext) -> None:
        pass


class Tree(Task):
    """Two branches that grow, one of them after the other, and a leaf that waits for both."""

    name: str
    depth: int

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "canvas.Tree", "v1.2"

    def execute(self, context: ExecutionContext) -> None:
        if self.depth == 0:
            return
        first = context.submit_subtask(Tree(f"{self.name}a", self.depth - 1), max_retries=2)
        second = context.submit_subtask(Tree(f"{self.name}b", self.depth - 1), depends_on=first, optional=True)
        context.submit_subtasks([Leaf(f"{self.name}c{i}") for i in range(3)], depends_on=[first, second])


class Crossing(Task):
    """The smallest graph that no canvas can state."""

    max_subtasks: ClassVar[int | None] = None

    def execute(self, context: ExecutionContext) -> None:
        a, b = context.submit_subtasks([Leaf("a"), Leaf("b")])
        context.submit_subtask(Leaf("c"), depends_on=[a, b])
        context.submit_subtask(Leaf("d"), depends_on=b)


def test_a_workflows_graph_comes_back_as_a_canvas(client: Client, cluster: Cluster) -> None:
    """Subtasks stand behind their parent; submitting the canvas gives the same order, identifiers and options."""
    jobs = client.jobs()
    runner = client.runner(tasks=[Tree, Leaf])
    job = jobs.submit("tree", Tree("t", 3))
    runner.run_all()

    back = jobs.canvas(job)
    again = jobs.submit_canvas("again", back)
    runner.run_all()

    assert len(wire(walk(back)[0]).leaves) == len(list(jobs.iter_tasks(job)))
    before, after = client._transport.job_graph(job.id), client._transport.job_graph(again.id)
    assert order(after) == order(before)
    assert {(task.identifier, task.input, task.max_retries, task.optional) for task in after.tasks} == {
        (task.identifier, task.input, task.max_retries, task.optional) for task in before.tasks
    }


def test_a_subtask_that_its_parent_submits_again_is_not_submitted_beside_it(client: Client, cluster: Cluster) -> None:
    """What is stored of a job's canvas is its root; a part without its parent is a root itself."""
    jobs = client.jobs()
    job = jobs.submit("tree", Tree("t", 1))
    client.runner(tasks=[Tree, Leaf]).run_all()
    back = jobs.canvas(job)

    whole = jobs.submit_canvas("whole", back)
    part = jobs.submit_canvas("part", back.tasks[1])

    assert [task.display for task in jobs.iter_tasks(whole)] == ["canvas.Tree"]
    assert [task.display for task in jobs.iter_tasks(part)] == ["canvas.Tree"]
    assert client._transport.job_graph(part.id).tasks[0].input == b'{"name": "ta", "depth": 0}'


def test_clusters_and_limits_come_back(client: Client, cluster: Cluster) -> None:
    """Each Task class runs again in its cluster under its limit; a cluster that the submission names is for all."""
    jobs = client.jobs()
    gpu = client.clusters().create("gpu")
    job = jobs.submit("two", [Leaf("a"), Leaf("b")], cluster=[cluster, gpu], limit=("copernicus", 4))
    alone = jobs.submit("one", Leaf("c"))

    again = jobs.submit_canvas("again", json.loads(json.dumps(jobs.canvas(job))))
    third = jobs.submit_canvas("third", jobs.canvas(again))
    moved = jobs.submit_canvas("moved", jobs.canvas(job), cluster=gpu)
    free = jobs.submit_canvas("free", jobs.canvas(alone))

    def places(job: Job) -> list[Any]:
        return [(task.cluster, task.limit) for task in client._transport.job_graph(job.id).tasks]

    limit = ("copernicus", 4)
    assert places(again) == places(third) == places(job) == [(cluster.slug, limit), (gpu.slug, limit)]
    assert places(moved) == [(gpu.slug, limit), (gpu.slug, limit)]
    assert places(free) == [(cluster.slug, None)]


def test_a_header_with_a_bad_limit_is_refused(client: Client, cluster: Cluster) -> None:
    """Someone has written it by hand."""
    call = {"task": "Leaf", "args": ["a"], "options": {"headers": {"tilebox": {"version": "v0.0", "limit": ["a", 0]}}}}

    with pytest.raises(CanvasError, match=r"^Leaf has a header 'tilebox' .*: limit must be .*, not \('a', 0\)\.$"):
        client.jobs().submit_canvas("bad", call)


def test_a_workflows_canvas_runs_as_workflow_tasks(client: Client, cluster: Cluster) -> None:
    """Its leaves are the Task classes themselves, and go to runners that registered them."""
    jobs = client.jobs()
    runner = client.runner(tasks=[Tree, Leaf])
    job = jobs.submit_canvas("again", jobs.canvas(jobs.submit("leaves", [Leaf("a"), Tree("b", 0)])))

    runner.run_all()

    assert jobs.find(job).state == "COMPLETED"
    assert jobs.result(job) == [None, None]
    assert [str(task.identifier) for task in jobs.tasks(job)] == ["Leaf v0.0", "canvas.Tree v1.2"]


def test_a_graph_that_canvas_cannot_state_is_refused_by_its_edge(client: Client, cluster: Cluster) -> None:
    """The sentence names both tasks of a dependency, and what makes it one too many."""
    jobs = client.jobs()
    job = jobs.submit("crossing", Crossing())
    client.runner(tasks=[Crossing, Leaf]).run_all()
    (root,) = jobs.tasks(job)
    a, b, c, d = (task.id for task in sorted(root.children, key=lambda task: task.id))

    with pytest.raises(CanvasError) as caught:
        jobs.canvas(job)

    assert str(caught.value) == (
        f"The dependency of Leaf ({c}) on Leaf ({b}) cannot be stated as a canvas: Leaf ({d}) depends on Leaf ({b}) "
        f"too, but not on Leaf ({a})."
    )


def test_a_task_class_in_a_canvas_takes_no_result(client: Client, cluster: Cluster) -> None:
    """Its signature must be immutable when something stands before it."""
    back = client.jobs().canvas(client.jobs().submit("leaf", Leaf("a")))
    back.set_immutable(False)

    with pytest.raises(CanvasError, match=r"^chain\[1\]: Leaf is a Task class, which takes no result of another task"):
        client.jobs().submit_canvas("mixed", chain(add.s(1, 1), back))


def test_a_task_class_in_a_canvas_gives_no_result(client: Client, cluster: Cluster) -> None:
    """A Celery task behind it must be immutable, and waits for the whole subtree."""
    jobs = client.jobs()
    tree = jobs.canvas(jobs.submit("tree", Tree("t", 1)))

    with pytest.raises(CanvasError, match=r"^chain\[0\]: canvas.Tree is a Task class, which returns nothing"):
        jobs.submit_canvas("mixed", chain(tree, pack.s()))
    job = jobs.submit_canvas("mixed", chain(tree, pack.si("after")))
    client.runner(tasks=[Tree, Leaf, pack]).run_all()

    done = sorted(
        (task.attempts[-1].finished_at, task.display)
        for task in jobs.iter_tasks(job)
        if task.attempts[-1].finished_at is not None
    )
    assert jobs.result(job) == ["after"]
    assert (len(done), done[-1][1]) == (7, "canvas_project.pack")
    assert jobs.canvas(job)["task"] == "celery.chain"


def test_results_of_intermediate_tasks_are_kept(client: Client, runner: TaskRunner, connection: Connection) -> None:
    """As JSON; a null takes no row."""
    client.jobs().submit_canvas("kept", chain(kept.s("a"), kept.s(), do.si("states"), kept.si(None)))
    runner.run_all()

    rows = connection.execute("select result from tbx.task_results order by task_id").fetchall()
    assert [row[0] for row in rows] == [b'"a"', b'"a"', b'"told nobody"']
