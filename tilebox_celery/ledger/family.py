"""Flatten the submissions of one call into the arrays of the SQL type ``tbx.family``."""

from tilebox_celery.ledger import literals as lit
from tilebox_celery.model.submission import TaskBatch

SQL_FAMILY = (
    "row(%s::int[],%s::int[],%s::int[],%s::bool[],%s::int[],%s::int[],%s::int[],%s::int[],%s::int[],"
    "%s::int[],%s::int[],%s::bytea[],%s::text[],%s::int[],%s::bool[],%s::text[],%s::int[])::tbx.family"
)
NO_FAMILY: tuple[None, ...] = (None,) * 17


class FamilyBuilder:
    """Collects the subtasks of several parents; parents and groups are numbered from 1 in the order of adding."""

    __slots__ = (
        "_blocked", "_dependents", "_displays", "_edge_from", "_edge_to", "_family_size", "_first", "_group_parent",
        "_groups", "_inputs", "_last", "_limits", "_max_retries", "_open", "_optionals", "_parents", "_routes",
    )  # fmt: skip

    def __init__(self) -> None:
        self._parents = 0
        self._group_parent: list[int] = []
        self._family_size: list[int] = []
        self._open: list[int] = []
        self._blocked: list[int] = []
        self._dependents: list[bool] = []
        self._first: list[int] = []
        self._last: list[int] = []
        self._edge_from: list[int] = []
        self._edge_to: list[int] = []
        self._groups: list[int] = []
        self._routes: list[int] = []
        self._inputs: list[bytes] = []
        self._displays: list[str | None] = []
        self._max_retries: list[int] = []
        self._optionals: list[bool] = []
        self._limits: list[tuple[str, int] | None] = []

    def __len__(self) -> int:
        return len(self._routes)

    def add(self, batch: TaskBatch, routes: list[int]) -> None:
        """Add the subtasks of the next parent.

        Args:
            batch: Its subtasks, grouped.
            routes: The route of each subtask.
        """
        self._parents += 1
        base_group = len(self._open) + 1
        base_task = len(self._routes)
        count = batch.group_count
        self._group_parent += [self._parents] * count
        self._family_size += [count] * count
        if count == 1:
            self._open.append(len(routes))
            self._first.append(base_task)
            self._last.append(base_task + len(routes) - 1)
            self._blocked.append(0)
            self._dependents.append(False)
            self._groups += [base_group] * len(routes)
        else:
            self._add_groups(batch, base_group, base_task)
        self._routes += routes
        self._inputs += batch.inputs
        self._displays += batch.displays
        self._max_retries += batch.max_retries
        self._optionals += batch.optionals
        self._limits += batch.limits

    def _add_groups(self, batch: TaskBatch, base_group: int, base_task: int) -> None:
        count = batch.group_count
        sizes = [0] * count
        first = [0] * count
        last = [0] * count
        for position, group in enumerate(batch.groups):
            if not sizes[group]:
                first[group] = base_task + position
            last[group] = base_task + position
            sizes[group] += 1
        blocked = [0] * count
        dependents = [False] * count
        for source, target in zip(batch.edges_from, batch.edges_to, strict=True):
            blocked[target] += 1
            dependents[source] = True
        self._open += sizes
        self._first += first
        self._last += last
        self._blocked += blocked
        self._dependents += dependents
        self._groups += [base_group + group for group in batch.groups]
        self._edge_from += [base_group + group for group in batch.edges_from]
        self._edge_to += [base_group + group for group in batch.edges_to]

    def parameters(self) -> tuple[str | None, ...]:
        """Return the values for the placeholders of ``SQL_FAMILY``."""
        has_limits = any(self._limits)
        return (
            lit.int_array(self._group_parent),
            lit.int_array(self._open),
            lit.int_array(self._blocked),
            lit.bool_array(self._dependents),
            lit.int_array(self._first),
            lit.int_array(self._last),
            lit.int_array(self._family_size),
            lit.int_array(self._edge_from),
            lit.int_array(self._edge_to),
            lit.int_array(self._groups),
            lit.int_array(self._routes),
            lit.bytes_array(self._inputs),
            lit.text_array(self._displays) if any(self._displays) else None,
            lit.int_array(self._max_retries) if any(self._max_retries) else None,
            lit.bool_array(self._optionals) if any(self._optionals) else None,
            lit.text_array([limit[0] if limit else None for limit in self._limits]) if has_limits else None,
            lit.optional_int_array([limit[1] if limit else None for limit in self._limits]) if has_limits else None,
        )
