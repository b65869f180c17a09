"""The no-op workloads as tilebox_celery tasks; ``celery -A benchmarks.tasks:app worker`` runs them."""

import os
import random
from typing import TYPE_CHECKING

from benchmarks.stamp import push_time
from tilebox_celery.workflows import Client, ExecutionContext, Task

if TYPE_CHECKING:
    from tilebox_celery.model.submission import FutureTask

WIDTH = 64


class Leaf(Task):
    """Does nothing."""

    n: int

    def execute(self, context: ExecutionContext) -> None:
        """Do nothing."""


class Branch(Task):
    """Up to 64 leaves."""

    leaves: int

    def execute(self, context: ExecutionContext) -> None:
        """Fan out."""
        context.submit_subtasks([Leaf(i) for i in range(self.leaves)])


class FanOut(Task):
    """W1: leaves below branches of 64, then a join."""

    leaves: int
    max_subtasks = None

    def execute(self, context: ExecutionContext) -> None:
        """Fan out in two levels, and join."""
        sizes = [min(WIDTH, self.leaves - i) for i in range(0, self.leaves, WIDTH)]
        branches = context.submit_subtasks([Branch(size) for size in sizes])
        context.submit_subtask(Leaf(-1), depends_on=branches)


class Chain(Task):
    """W2: a chain."""

    length: int
    max_subtasks = None

    def execute(self, context: ExecutionContext) -> None:
        """Submit each link after the one before."""
        before = None
        for i in range(self.length):
            before = context.submit_subtask(Leaf(i), depends_on=before)


class Tree(Task):
    """W3: a binary tree that grows at run time."""

    depth: int

    def execute(self, context: ExecutionContext) -> None:
        """Submit two smaller trees."""
        if self.depth > 1:
            context.submit_subtasks([Tree(self.depth - 1), Tree(self.depth - 1)])


class Layers(Task):
    """W4: layers, each task depending on three of the layer before."""

    layers: int
    width: int
    max_subtasks = None

    def execute(self, context: ExecutionContext) -> None:
        """Submit the whole graph."""
        choose = random.Random(7)
        before: list[FutureTask] = []
        for _ in range(self.layers):
            before = [
                context.submit_subtask(Leaf(i), depends_on=choose.sample(before, 3) if before else None)
                for i in range(self.width)
            ]


class Stamp(Task):
    """W5: writes down when it started."""

    key: str

    def execute(self, context: ExecutionContext) -> None:
        """Push the time."""
        push_time(self.key)


def __getattr__(name: str) -> object:
    """Make the Celery app when a worker asks for it."""
    if name in ("app", "celery"):
        tasks = [Leaf, Branch, FanOut, Chain, Tree, Layers, Stamp]
        return Client().runner(os.environ.get("BENCHMARK_CLUSTER"), tasks=tasks).celery_app
    raise AttributeError(name)
