"""Translate a Celery canvas into a job of the ledger, and a job back into a canvas.

The way in: `plan_canvas` reads a Signature (`canvas_read`, `canvas_walk`) into sequences of leaves and groups
(`canvas_shape`), and says what each leaf waits for and which results it takes. Each leaf becomes one root task of the
job: identifier = name of the Celery task, input = its arguments and the positions of those results (`canvas_leaf`). The
ledger does the rest: a group is siblings, a chain link a dependency, a chord a dependency on several. The way back:
`canvas_of` builds the Signature (`canvas_build`) from the stored shape, or from the graph of any job (`canvas_series`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tilebox_celery.dispatch.canvas_build import build_signature
from tilebox_celery.dispatch.canvas_leaf import celery_identifier, dump_call, ledger_leaf, ledger_task, read_leaf
from tilebox_celery.dispatch.canvas_read import MAX_TASKS
from tilebox_celery.dispatch.canvas_series import steps_of_graph
from tilebox_celery.dispatch.canvas_shape import (
    Steps,
    Wiring,
    decode_shape,
    encode_shape,
    fold_runs,
    positions_of,
    unfold_runs,
    wire,
)
from tilebox_celery.dispatch.canvas_subtasks import leave_to_parents
from tilebox_celery.dispatch.canvas_tasks import is_built_in
from tilebox_celery.dispatch.canvas_walk import walk
from tilebox_celery.errors import CanvasError
from tilebox_celery.model.grouping import group_by_dependencies
from tilebox_celery.model.submission import MAX_RETRIES, TaskBatch

if TYPE_CHECKING:
    from tilebox_celery.ledger.queries_canvas import JobGraph


@dataclass(frozen=True, slots=True)
class CanvasPlan:
    """A canvas on its way into the ledger."""

    wiring: Wiring
    shape: dict[str, Any]
    """For `jobs.canvas`: what is stored beside the tasks."""
    unknown: Mapping[str, str]
    """Task names that no app of this process can run although it should, with the place of their first use."""

    def batch(self, cluster: str | None = None, max_input_bytes: int | None = None) -> TaskBatch:
        """Return the tasks as the ledger takes them.

        Args:
            cluster: Where they run; None is the cluster that a Task class says, and else the default one.
            max_input_bytes: Largest input of one task.

        Raises:
            CanvasError: An input is larger.
        """
        leaves = self.wiring.leaves
        inputs = [
            dump_call(leaf, source) if leaf.ledger_task is None else leaf.ledger_task.input
            for leaf, source in zip(leaves, self.wiring.sources, strict=True)
        ]
        for leaf, data in zip(leaves, inputs, strict=True):
            if max_input_bytes is not None and len(data) > max_input_bytes:
                raise CanvasError(
                    f"{_who(leaf.path, leaf.task)} has an input of {len(data):,} bytes, more than {max_input_bytes:,}. "
                    "Pass a reference, such as a path, or raise TILEBOX_CELERY_MAX_INPUT_BYTES."
                )
        graph = group_by_dependencies(self.wiring.after)
        tasks = [leaf.ledger_task for leaf in leaves]
        return TaskBatch(
            [
                celery_identifier(leaf.task) if leaf.ledger_task is None else leaf.ledger_task.identifier
                for leaf in leaves
            ],
            [cluster or (None if task is None else task.cluster) for task in tasks],
            inputs,
            [leaf.shadow for leaf in leaves],
            # Whether a Celery task is run again is decided where it runs, by Celery's own rules: its max_retries, those
            # of self.retry(max_retries=...) and of autoretry. The ledger's number must not come before.
            [MAX_RETRIES if task is None else task.max_retries for task in tasks],
            [task is not None and task.optional for task in tasks],
            [None if task is None else task.limit for task in tasks],
            graph.groups,
            graph.group_count,
            graph.edges_from,
            graph.edges_to,
        )


def plan_canvas(signature: Any) -> CanvasPlan:
    """Read a canvas, and refuse what cannot be a job before anything is written.

    Args:
        signature: A chain, group, chord, chunks, map, starmap or single Signature, or the dict that its JSON gives.

    Raises:
        CanvasError: It cannot be a job; the message names the place, such as ``chain[2].group[0]``.
    """
    try:
        steps, unknown = walk(signature)
        steps = leave_to_parents(steps)
        wiring = wire(steps)
    except RecursionError:
        raise CanvasError("The canvas is nested too deeply.") from None
    if not wiring.leaves:
        raise CanvasError("The canvas has no tasks: there is nothing to run.")
    if len(wiring.leaves) > MAX_TASKS:
        raise CanvasError(f"The canvas has {len(wiring.leaves):,} tasks, but a canvas job has at most {MAX_TASKS:,}.")
    _check_results(wiring)
    shape = encode_shape(steps)
    ledger_tasks = [position for position, leaf in enumerate(wiring.leaves) if leaf.ledger_task is not None]
    if ledger_tasks:
        shape["ledger_tasks"] = fold_runs(ledger_tasks)
    return CanvasPlan(wiring, shape, unknown)


def canvas_of(graph: "JobGraph", app: Any = None) -> Any:
    """Return a job as a Celery Signature.

    Args:
        graph: The tasks of the job and its shape, if it was a canvas.
        app: Celery app that knows the tasks; None leaves the choice to the caller of the signature.

    Raises:
        CanvasError: Canvas cannot state the graph; the message names the dependency.
    """
    return build_signature(steps_of_job(graph), app)


def steps_of_job(graph: "JobGraph") -> Steps:
    """Return a job in the normal form of a canvas."""
    if graph.shape is None:
        return steps_of_graph(graph)
    ledger_tasks = set(unfold_runs(graph.shape.get("ledger_tasks", ())))
    roots = [task for task in graph.tasks if task.parent_id is None]
    leaves = [
        ledger_leaf(ledger_task(task))
        if position in ledger_tasks
        else read_leaf(task.identifier.name, task.input, task.display)
        for position, task in enumerate(roots)
    ]
    return decode_shape(graph.shape, leaves)


def result_source(shape: Mapping[str, Any]) -> Any:
    """Return where the value of a stored canvas comes from: that of its last step.

    Example:
        >>> result_source({"steps": [0, {"group": ["1-3", [4, 5]]}]})
        ['1-3', 5]
    """
    last = shape["steps"][-1]
    if not isinstance(last, dict):
        return int(last.rpartition("-")[2]) if isinstance(last, str) else last
    return [result_source({"steps": part}) if isinstance(part, list) else part for part in last["group"]]


def check_known(plan: CanvasPlan, registered: set[str]) -> None:
    """Refuse names that neither an app of this process nor any runner knows.

    Args:
        plan: The canvas.
        registered: Those of `plan.unknown` that a runner of the ledger has registered.

    Raises:
        CanvasError: There is such a name.
    """
    for name, path in plan.unknown.items():
        if name not in registered:
            if is_built_in(name):
                raise CanvasError(
                    f"{_who(path, name)} is one of Celery's own tasks, which no runner has registered: use a task of "
                    "your own."
                )
            raise CanvasError(
                f"{_who(path, name)} is not a task of a Celery app of this process, and no runner has registered it: "
                "import the module that defines it, or look at the spelling."
            )


def _check_results(wiring: Wiring) -> None:
    """Refuse to hand on what no task returns."""
    nothing: dict[int, str] = {}
    for position, leaf in enumerate(wiring.leaves):
        if leaf.ledger_task is not None:
            nothing[position] = "is a Task class, which returns nothing, but its result is taken by"
        elif leaf.ignores_result:
            nothing[position] = "ignores its result (ignore_result), which is taken by"
    if not nothing:
        return
    seen: set[int] = set()
    for leaf, source in zip(wiring.leaves, wiring.sources, strict=True):
        if source is None or id(source) in seen:
            continue
        seen.add(id(source))  # siblings share one source
        for position in nothing.keys() & positions_of(source):
            giver = wiring.leaves[position]
            raise CanvasError(
                f"{_who(giver.path, giver.task)} {nothing[position]} {_who(leaf.path, leaf.task)}: "
                "write the latter as si(...)."
            )


def _who(path: str, name: str) -> str:
    return f"{path}: {name}" if path else name
