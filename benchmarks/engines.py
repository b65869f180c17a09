"""Run one graph on one engine and check that all of it ran."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.stack import Servers
from tilebox_celery.workflows import Task

LONGEST_RUN = 300.0


@dataclass(frozen=True)
class Workload:
    """One graph as both engines state it."""

    name: str
    title: str
    size: int
    """What throughput counts: leaves, hops, nodes."""
    unit: str
    ours: Callable[[], Task]
    our_tasks: int
    canvas: Callable[[], Any]
    canvas_tasks: int
    canvas_result: object
    """What proves that canvas ran all of it."""
    hold: float
    """Times canvas."""


def workloads(
    leaves: int = 10_000, hops: int = 500, depth: int = 12, layers: int = 20, width: int = 50
) -> list[Workload]:
    """Return W1 to W4."""
    from benchmarks import canvas_tasks as canvas
    from benchmarks import tasks

    branches = -(-leaves // tasks.WIDTH)
    nodes = 2**depth - 1
    return [
        Workload(
            "W1", f"root, {leaves:,} leaves, join", leaves, "leaf", lambda: tasks.FanOut(leaves), leaves + branches + 2,
            lambda: canvas.fan_out.s(leaves), leaves + 2, leaves, 12.0,
        ),
        Workload(
            "W2", f"chain of {hops}", hops, "hop", lambda: tasks.Chain(hops), hops + 1,
            lambda: canvas.long_chain(hops), hops, None, 4.0,
        ),
        Workload(
            "W3", f"binary tree of depth {depth}, grown at run time", nodes, "node", lambda: tasks.Tree(depth), nodes,
            lambda: canvas.tree.s(depth), nodes, nodes, 30.0,
        ),
        Workload(
            "W4", f"{layers} layers x {width}, each depending on 3", layers * width, "task",
            lambda: tasks.Layers(layers, width), layers * width + 1,
            lambda: canvas.layers(layers, width), layers * (width + 1), width, 60.0,
        ),
    ]  # fmt: skip


def run_ours(servers: Servers, task: Task, tasks: int, cluster: str | None = None) -> float:
    """Run a job and return the seconds from before its submission to its end, as the ledger has it.

    Raises:
        AssertionError: Not every task was computed.
    """
    with_client = servers.client()
    try:
        with_client.clusters().all()  # connections are open before the clock starts
        jobs = with_client.jobs()
        begun = time.time()
        job = jobs.submit("benchmark", task, cluster=cluster).wait(LONGEST_RUN)
        counts = {str(state): count for state, count in job.execution_stats.tasks_by_state.items() if count}
        assert counts == {"COMPUTED": tasks}, f"{job.state}: {counts} instead of {tasks} COMPUTED"
        assert job.finished_at is not None, "a completed job has an end"
        return job.finished_at.timestamp() - begun
    finally:
        with_client.close()


def run_canvas(canvas: Any, result: object) -> float:
    """Run a canvas and return the seconds until its result is there.

    Raises:
        AssertionError: The result shows that not everything ran.
    """
    begun = time.time()
    found = canvas.apply_async().get(timeout=LONGEST_RUN)
    seconds = time.time() - begun
    assert found == result, f"canvas gave {found!r} instead of {result!r}"
    return seconds
