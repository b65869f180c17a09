"""Write the root tasks of one job as parameters of the SQL type ``tbx.family``, in little memory for many tasks."""

import struct
from collections.abc import Sequence
from typing import Any

from tilebox_celery.ledger import literals as lit
from tilebox_celery.model.submission import TaskBatch

_BYTEA = 17


def byte_strings(values: Sequence[bytes]) -> bytearray:
    """Return a ``bytea[]`` in Postgres' binary form: half the size of its text, and copied less often."""
    pack = struct.Struct("!i").pack
    data = bytearray(struct.pack("!iiiii", 1, 0, _BYTEA, len(values), 1))
    for value in values:
        data += pack(len(value))
        data += value
    return data


def root_parameters(batch: TaskBatch, routes: Sequence[int]) -> tuple[Any, ...]:
    """Return the values for the placeholders of ``SQL_FAMILY``, for tasks without a parent.

    Args:
        batch: The tasks, grouped.
        routes: The route of each task.
    """
    count = batch.group_count
    sizes, blocked, first, last = [0] * count, [0] * count, [0] * count, [0] * count
    dependents = [False] * count
    for position, group in enumerate(batch.groups):
        if not sizes[group]:
            first[group] = position
        last[group] = position
        sizes[group] += 1
    for source, target in zip(batch.edges_from, batch.edges_to, strict=True):
        blocked[target] += 1
        dependents[source] = True
    limits = batch.limits if any(batch.limits) else None
    return (
        lit.int_array([1] * count),
        lit.int_array(sizes),
        lit.int_array(blocked),
        lit.bool_array(dependents),
        lit.int_array(first),
        lit.int_array(last),
        lit.int_array([count] * count),
        lit.int_array(group + 1 for group in batch.edges_from),
        lit.int_array(group + 1 for group in batch.edges_to),
        lit.int_array(group + 1 for group in batch.groups) if count > 1 else _repeated(1, len(batch)),
        lit.int_array(routes) if len(set(routes)) > 1 else _repeated(routes[0], len(batch)),
        byte_strings(batch.inputs),
        lit.text_array(batch.displays) if any(batch.displays) else None,
        lit.int_array(batch.max_retries) if any(batch.max_retries) else None,
        lit.bool_array(batch.optionals) if any(batch.optionals) else None,
        None if limits is None else lit.text_array([None if limit is None else limit[0] for limit in limits]),
        None if limits is None else lit.optional_int_array([None if limit is None else limit[1] for limit in limits]),
    )


def _repeated(value: int, count: int) -> str:
    return "{" + f"{value}," * (count - 1) + f"{value}}}"
