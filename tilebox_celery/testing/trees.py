"""Compare the task tree of a job with what a test expects."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from tilebox_celery.client.client import Client
    from tilebox_celery.model.job import Job, TaskView


@dataclass(frozen=True)
class Node:
    """A task of a tree: display, state, and what it submitted, in any order.

    Example:
        >>> print(Node("Mosaic", "COMPUTED", [Node("Tile"), Node("Tile")]))
        Mosaic COMPUTED
          Tile COMPUTED
          Tile COMPUTED
    """

    display: str
    state: str = "COMPUTED"
    children: list["Node"] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(_lines([self], 0))


def tree_of(client: "Client", job: "Job | UUID | str") -> list[Node]:
    """Return the task trees of a job."""
    return [_node(view) for view in client.jobs().tasks(job)]


def assert_tree(client: "Client", job: "Job | UUID | str", *roots: Node) -> None:
    """Check that a job has exactly these tasks.

    Raises:
        AssertionError: With both trees.
    """
    found, wanted = "\n".join(_lines(tree_of(client, job), 0)), "\n".join(_lines(roots, 0))
    if found != wanted:
        raise AssertionError(f"expected the tasks\n{wanted}\nand found\n{found}")


def _node(view: "TaskView") -> Node:
    return Node(view.display, str(view.state), [_node(child) for child in view.children])


def _lines(nodes: Iterable[Node], depth: int) -> list[str]:
    blocks = []
    for node in nodes:
        head = "  " * depth + f"{node.display} {node.state}"
        blocks.append("\n".join([head, *_lines(node.children, depth + 1)]))
    return sorted(blocks)
