"""Random canvases: equal to Celery's own eager results, the same after JSON, and isomorphic on their way back."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from canvas_growth import Family, Grow, families
from canvas_orders import closure, crossing, dependencies, execute, order
from canvas_project import TASKS
from canvas_strategies import canvases, eager_agrees_with_workers
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tilebox_celery.client.client import Client
from tilebox_celery.dispatch.canvas import plan_canvas
from tilebox_celery.dispatch.canvas_build import build_signature
from tilebox_celery.dispatch.canvas_series import steps_of_graph
from tilebox_celery.dispatch.canvas_shape import Steps, decode_shape, encode_shape, wire
from tilebox_celery.dispatch.canvas_walk import walk
from tilebox_celery.errors import CanvasError
from tilebox_celery.ledger.queries_canvas import GraphTask, JobGraph
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.grouping import group_by_dependencies
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.runner.task_runner import TaskRunner


def _is_runnable(canvas: Any) -> bool:
    try:
        return bool(_steps(canvas))
    except CanvasError as error:
        if "the body of a chord needs a step" not in str(error):
            raise
        return False


runnable = canvases.filter(_is_runnable)


def _steps(canvas: Any) -> Steps:
    steps, _ = walk(canvas)
    return steps if wire(steps).leaves else []


def _plain(steps: Steps) -> Any:
    """Return steps as JSON has them, without the places that they stood at."""
    text = json.dumps([asdict(step) | {"path": ""} for step in steps])
    return json.loads(text, object_hook=lambda part: {name: part[name] for name in part if name != "path"})


@given(runnable)
@settings(max_examples=300, deadline=None)
def test_results_are_those_of_eager_mode(canvas: Any) -> None:
    """What Celery returns when it runs a canvas at once in this process is what the plan returns."""
    assume(eager_agrees_with_workers(canvas))

    assert execute(plan_canvas(canvas)) == canvas.apply().get()


@given(runnable)
@settings(max_examples=200, deadline=None)
def test_json_changes_nothing(canvas: Any) -> None:
    """A canvas and the dict of its JSON are the same job."""
    after_json = json.loads(json.dumps(canvas))

    assert _plain(_steps(after_json)) == _plain(_steps(canvas))


@given(runnable)
@settings(max_examples=200, deadline=None)
def test_what_is_built_reads_as_what_was_read(canvas: Any) -> None:
    """Normal form to Signature and back changes nothing, and so does the shape that is stored."""
    steps = _steps(canvas)

    assert _plain(_steps(build_signature(steps))) == _plain(steps)
    assert decode_shape(json.loads(json.dumps(encode_shape(steps))), wire(steps).leaves) == steps


@given(canvas=runnable)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_job_and_its_canvas_are_isomorphic(client: Client, cluster: Cluster, canvas: Any) -> None:
    """Submitting what jobs.canvas() gives makes a job with the same tasks, dependencies and result."""
    jobs, transport = client.jobs(), client._transport
    first = jobs.submit_canvas("first", canvas)
    second = jobs.submit_canvas("second", jobs.canvas(first))

    client.runner(tasks=TASKS).run_all()

    graphs = [transport.job_graph(job.id) for job in (first, second)]
    assert dependencies(graphs[0]) == dependencies(graphs[1])
    assert graphs[0].shape == graphs[1].shape
    assert jobs.result(first) == jobs.result(second) == execute(plan_canvas(canvas))


@given(roots=st.lists(families(), min_size=1, max_size=2))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_job_that_grew_and_its_canvas_are_isomorphic(client: Client, cluster: Cluster, roots: list[Family]) -> None:
    """Submitted again, tasks that submit subtasks do so once: the same tasks are executed, in the same order."""
    jobs, runner = client.jobs(), client.runner(tasks=[Grow])
    tasks = [Grow(str(index), family) for index, family in enumerate(roots)]
    first = jobs.submit("first", tasks, limit=("a", 1))
    executed = [_executed(runner)]
    if any(map(_crosses, roots)):
        with pytest.raises(CanvasError, match="cannot be stated as a canvas"):
            jobs.canvas(first)
        return

    second = jobs.submit_canvas("second", json.loads(json.dumps(jobs.canvas(first))))
    executed.append(_executed(runner))
    third = jobs.submit_canvas("third", jobs.canvas(second))
    executed.append(_executed(runner))

    graphs = [client._transport.job_graph(job.id) for job in (first, second, third)]
    assert executed[0] == executed[1] == executed[2]
    assert order(graphs[0]) == order(graphs[1]) == order(graphs[2])
    assert _statements(graphs[0]) == _statements(graphs[1]) == _statements(graphs[2])
    assert all(jobs.find(job).state == "COMPLETED" for job in (first, second, third))


def _executed(runner: TaskRunner) -> list[str]:
    Grow.ran.clear()
    runner.run_all()
    return sorted(Grow.ran)


def _crosses(family: Family) -> bool:
    pairs = {(need, index) for index, member in enumerate(family) for need in member["after"]}
    if crossing(len(family), closure(range(len(family)), pairs)) is not None:
        return True
    return any(_crosses(member["family"]) for member in family)


def _statements(graph: JobGraph) -> list[Any]:
    """Return what the ledger says of each task but its place."""
    return sorted(
        (task.input, str(task.identifier), task.max_retries, task.optional, task.cluster, task.limit)
        for task in graph.tasks
    )


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    """Draw the dependencies of up to seven tasks on earlier ones."""
    count = draw(st.integers(1, 7))
    return [sorted(draw(st.sets(st.integers(0, index - 1), max_size=3))) if index else [] for index in range(count)]


@given(graphs())
@settings(max_examples=500, deadline=None)
def test_just_the_graphs_without_crossings_are_stated(depends_on: list[list[int]]) -> None:
    """A graph with four tasks a, b, c, d and just a < c, b < c, b < d is refused; any other comes back in its order."""
    grouped = group_by_dependencies(depends_on)
    tasks = [
        GraphTask(index, group, None, TaskIdentifier("Step"), None, str(index).encode(), 0, False, "here", None)
        for index, group in enumerate(grouped.groups)
    ]
    graph = JobGraph(1, None, tasks, list(zip(grouped.edges_from, grouped.edges_to, strict=True)))
    asked = closure(range(len(tasks)), {(need, index) for index, needs in enumerate(depends_on) for need in needs})

    if crossing(len(tasks), asked) is not None:
        with pytest.raises(CanvasError, match="cannot be stated as a canvas"):
            steps_of_graph(graph)
        return
    wiring = wire(steps_of_graph(graph))

    names = [leaf.args[0] for leaf in wiring.leaves]
    stated = {(names[need], names[index]) for index, needs in enumerate(wiring.after) for need in needs}
    assert sorted(names) == list(range(len(tasks)))
    assert closure(names, stated) == asked
