"""The same workloads as plain Celery canvas, as its documentation shows it: acks_late, results in Valkey."""

import os
from typing import Any

from celery import Celery, chain, chord

from benchmarks.stamp import push_time

BROKER_URL = os.environ.get("TILEBOX_CELERY_BROKER_URL", "memory://")
app = Celery("canvas", broker=BROKER_URL, backend=BROKER_URL + "?virtual_host=1")
app.conf.update(
    task_acks_late=True,
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_default_queue="canvas",
    broker_connection_retry_on_startup=True,
)


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def leaf(*_: Any) -> None:
    """Do nothing."""


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def join(results: list[Any]) -> int:
    """End a chord; gives the size of its header."""
    return len(results)


@app.task(bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
def fan_out(self: Any, leaves: int) -> Any:
    """W1: become a flat chord. The worker publishes it, which is faster than a client that waits for each result."""
    raise self.replace(chord((leaf.si(i) for i in range(leaves)), join.s()))


def long_chain(length: int) -> Any:
    """W2: a chain."""
    return chain(*(leaf.si(i) for i in range(length)))


@app.task(bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
def tree(self: Any, depth: int) -> Any:
    """W3: replace this node by a chord of two smaller trees; gives the number of nodes."""
    if depth > 1:
        raise self.replace(chord([tree.s(depth - 1), tree.s(depth - 1)], count_nodes.s()))
    return 1


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def count_nodes(nodes: list[int]) -> int:
    """Count what is below a node, and the node."""
    return sum(nodes) + 1


def layers(count: int, width: int) -> Any:
    """W4 as far as canvas can state it: a barrier after each layer."""
    return chain(*(chord([leaf.si(i) for i in range(width)], join.s()) for _ in range(count)))


@app.task(ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
def stamp(key: str) -> None:
    """W5: push the time of the start."""
    push_time(key)
