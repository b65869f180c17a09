"""The normal form of a canvas: sequences of leaves and groups, and what depends on what in them.

A canvas is a sequence of steps. A step is one task (a leaf) or a group, whose members are sequences again. Each step
starts when all tasks of the step before have ended, and is handed that step's value: the result of a leaf, the list of
its members' values for a group. A chord is thus a group with a step behind it; nothing else is needed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tilebox_celery.model.identifiers import TaskIdentifier

Source: TypeAlias = "int | list[Source] | None"
"""Where a value comes from: the result of the task at a position, or a list of such; None: nothing is handed on."""


@dataclass(slots=True)
class Leaf:
    """One call of a task."""

    task: str
    args: Sequence[Any] = ()
    """Its own arguments; for a loop, the items."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    immutable: bool = False
    """It takes no value from the step before."""
    loop: str | None = None
    """``map`` or ``starmap``: call the task once for each item, one after the other."""
    ignores_result: bool = False
    headers: Mapping[str, Any] = field(default_factory=dict)
    stamps: Mapping[str, Any] = field(default_factory=dict)
    shadow: str | None = None
    """The name that it is shown under."""
    ledger_task: "LedgerTask | None" = None
    """Set for a Task class instead of a Celery task."""
    path: str = field(default="", compare=False)
    """Where it stood in the signature, for messages."""


@dataclass(frozen=True, slots=True)
class LedgerTask:
    """A task of the ledger that is no Celery task: an instance of a Task class."""

    identifier: TaskIdentifier
    input: bytes
    max_retries: int = 0
    optional: bool = False
    cluster: str | None = None
    """Where it runs, unless the submission names a cluster."""
    limit: tuple[str, int] | None = None
    id: str | None = None
    """Of a task that has submitted subtasks in the job that it comes from: they name it as their parent."""
    parent: str | None = None
    """The id of the task that submitted it; with that one in the same canvas, it is submitted again by it."""


@dataclass(slots=True)
class Group:
    """Sequences side by side."""

    members: "list[Steps]"
    chunks_of: str | None = None
    """The task name when they are the chunks of one list: then it stays a group of its own in every place."""
    chunk_size: int = 0


Steps: TypeAlias = list[Leaf | Group]


@dataclass(slots=True)
class Wiring:
    """The leaves of a canvas in written order, and what each waits for and takes."""

    leaves: list[Leaf] = field(default_factory=list)
    after: list[tuple[int, ...]] = field(default_factory=list)
    """For each leaf the positions that it waits for; siblings share one tuple."""
    sources: list[Source] = field(default_factory=list)
    """For each leaf the value that it takes as its first argument."""
    result: Source = None
    """The value of the whole canvas."""


def wire(steps: Steps) -> Wiring:
    """Number the leaves of a canvas in written order, and derive dependencies and values.

    Example:
        >>> wiring = wire([Leaf("a"), Group([[Leaf("b")], [Leaf("c")]]), Leaf("d")])
        >>> wiring.after, wiring.sources, wiring.result
        ([(), (0,), (0,), (1, 2)], [None, 0, 0, [1, 2]], 3)
    """
    wiring = Wiring()
    _, wiring.result = _wire(wiring, steps, (), None)
    return wiring


def _wire(wiring: Wiring, steps: Steps, after: tuple[int, ...], source: Source) -> tuple[tuple[int, ...], Source]:
    """Add a sequence; return the positions that end it (none if it has no tasks), and its value."""
    exits: tuple[int, ...] = ()
    for step in steps:
        if isinstance(step, Leaf):
            position = len(wiring.leaves)
            wiring.leaves.append(step)
            wiring.after.append(after)
            wiring.sources.append(None if step.immutable else source)
            after = exits = (position,)
            source = position
        else:
            ends = [_wire(wiring, member, after, source) for member in step.members]
            source = [value for _, value in ends]
            if joined := tuple(position for positions, _ in ends for position in positions):
                after = exits = joined
    return exits, source


def encode_shape(steps: Steps) -> dict[str, Any]:
    """Return a canvas without its leaves, as JSON: leaves are their positions, ``"3-7"`` is 3, 4, 5, 6, 7.

    Example:
        >>> encode_shape([Leaf("a"), Group([[Leaf("b")], [Leaf("c"), Leaf("d")]]), Leaf("e")])
        {'steps': [0, {'group': [1, [2, 3]]}, 4]}
    """
    return {"steps": _encode(steps, iter(range(2**62)))}


def _encode(steps: Steps, positions: Iterator[int]) -> list[Any]:
    parts: list[Any] = []
    for step in steps:
        if isinstance(step, Leaf):
            parts.append(next(positions))
            continue
        members = []
        for member in step.members:
            encoded = _encode(member, positions)
            members.append(encoded[0] if len(member) == 1 and type(encoded[0]) is int else encoded)
        part: dict[str, Any] = {"group": fold_runs(members)}
        if step.chunks_of is not None:
            part |= {"chunks_of": step.chunks_of, "size": step.chunk_size}
        parts.append(part)
    return fold_runs(parts)


def decode_shape(shape: Mapping[str, Any], leaves: Sequence[Leaf]) -> Steps:
    """Return the canvas whose shape was stored, with its leaves."""
    return _decode(shape["steps"], leaves)


def _decode(parts: Iterable[Any], leaves: Sequence[Leaf]) -> Steps:
    steps: Steps = []
    for part in unfold_runs(parts):
        if isinstance(part, int):
            steps.append(leaves[part])
        else:
            members = [
                _decode([member] if isinstance(member, int) else member, leaves)
                for member in unfold_runs(part["group"])
            ]
            steps.append(Group(members, part.get("chunks_of"), part.get("size", 0)))
    return steps


def fold_runs(parts: Sequence[Any]) -> list[Any]:
    """Write three or more consecutive numbers as one text.

    Example:
        >>> fold_runs([0, 1, 5, 6, 7, [2]])
        [0, 1, '5-7', [2]]
    """
    folded: list[Any] = []
    start = 0
    while start < len(parts):
        end = start + 1
        if type(parts[start]) is int:
            while end < len(parts) and type(parts[end]) is int and parts[end] == parts[end - 1] + 1:
                end += 1
        folded += [f"{parts[start]}-{parts[end - 1]}"] if end - start > 2 else parts[start:end]
        start = end
    return folded


def unfold_runs(parts: Iterable[Any]) -> Iterator[Any]:
    """Yield what `fold_runs` was given.

    Example:
        >>> list(unfold_runs([0, "2-4"]))
        [0, 2, 3, 4]
    """
    for part in parts:
        if isinstance(part, str):
            first, _, last = part.partition("-")
            yield from range(int(first), int(last) + 1)
        else:
            yield part


def encode_source(source: Source) -> Any:
    """Return a source as JSON, with runs of positions folded."""
    return fold_runs([encode_source(each) for each in source]) if isinstance(source, list) else source


def positions_of(source: Any) -> Iterator[int]:
    """Yield all positions in a source, encoded or not."""
    if isinstance(source, int):
        yield source
    elif source is not None:
        for part in unfold_runs(source):
            yield from positions_of(part)


def value_of(source: Any, results: Mapping[int, Any]) -> Any:
    """Put results into the places that a source, encoded or not, gives them.

    Example:
        >>> value_of([0, [1]], {0: "a", 1: "b"})
        ['a', ['b']]
    """
    if isinstance(source, int):
        return results[source]
    return None if source is None else [value_of(part, results) for part in unfold_runs(source)]
