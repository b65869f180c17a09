"""Know the Arrow tables that our own readers made: to look at each value again would take longer than to store it."""

from weakref import WeakValueDictionary

import pyarrow as pa

_by_id: WeakValueDictionary[int, pa.Table] = WeakValueDictionary()
"""A table cannot be changed, so the same object still holds what was checked."""


def checked(table: pa.Table) -> pa.Table:
    """Return a table of which each value was checked and is in its canonical form, and remember that while it lives."""
    _by_id[id(table)] = table
    return table


def is_checked(table: object) -> bool:
    """Return whether this very table, not one like it, was checked.

    Example:
        >>> table = checked(pa.table({"time": pa.array([0], pa.timestamp("ms"))}))
        >>> is_checked(table), is_checked(table.slice(0))
        (True, False)
    """
    return table is not None and _by_id.get(id(table)) is table
