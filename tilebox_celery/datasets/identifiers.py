"""The ids of datapoints: they follow from what a datapoint holds, and sort by time."""

import hashlib
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from tilebox_celery.datasets.arrow_types import ID_TYPE
from tilebox_celery.datasets.canonical_rows import canonical_rows
from tilebox_celery.errors import ArgumentError

_TIME_BYTES = 6
_HASH_BYTES = 10
_TIME_END = 1 << (8 * _TIME_BYTES)


def datapoint_ids(table: pa.Table, collection_key: bytes) -> pa.FixedSizeBinaryArray:
    """Make the id of each row: 48 bits of milliseconds since 1970, then 80 bits of SHA-256 over collection and fields.

    Args:
        table: As it comes in, with `time`; the order of its columns makes no difference.
        collection_key: What tells the collection from all others, such as the bytes of its own id.

    Returns:
        One id for each row; rows that load alike have the same.

    Raises:
        ArgumentError: A time lies before 1970 or after the year 10889.

    Example:
        >>> table = pa.table({"time": pa.array([1722470401362], pa.timestamp("ms")), "orbit": [12]})
        >>> str(UUID(bytes=datapoint_ids(table, b"S1A")[0].as_py()))[:13]
        '01910b3c-8552'
    """
    ids = np.empty((table.num_rows, _TIME_BYTES + _HASH_BYTES), dtype=np.uint8)
    ids[:, :_TIME_BYTES] = _time_bytes(table.column("time"))
    start = hashlib.sha256(len(collection_key).to_bytes(4, "big") + collection_key)
    digests = bytearray()
    for rows in canonical_rows(table):
        for row in rows.to_pylist():
            digest = start.copy()
            digest.update(row)
            digests += digest.digest()[:_HASH_BYTES]
    ids[:, _TIME_BYTES:] = np.frombuffer(digests, dtype=np.uint8).reshape(-1, _HASH_BYTES)
    return pa.FixedSizeBinaryArray.from_buffers(ID_TYPE, table.num_rows, [None, pa.py_buffer(ids)])


def parse_datapoint_id(value: object) -> UUID:
    """Read the id of a datapoint.

    Args:
        value: A UUID, its text, or an array that holds one, such as `dataset.id[0]`.

    Raises:
        ArgumentError: It is none.

    Example:
        >>> parse_datapoint_id("01910b3c-8552-7671-3345-b902cc0813f3")
        UUID('01910b3c-8552-7671-3345-b902cc0813f3')
    """
    single = getattr(value, "item", None)
    try:
        plain: Any = single() if callable(single) else value
        return plain if isinstance(plain, UUID) else UUID(plain)
    except (TypeError, ValueError, AttributeError) as error:
        shown = value if isinstance(value, str) else " ".join(repr(value).split())[:80]
        raise ArgumentError(f"Invalid datapoint id: {shown} is not a valid UUID") from error


def milliseconds_of(datapoint_id: UUID) -> int:
    """Return the milliseconds since 1970 at which a datapoint with this id lies.

    Example:
        >>> milliseconds_of(UUID("01910b3c-8552-7671-3345-b902cc0813f3"))
        1722470401362
    """
    return datapoint_id.int >> (8 * _HASH_BYTES)


def _time_bytes(column: pa.ChunkedArray) -> np.ndarray:
    milliseconds: np.ndarray = column.cast(pa.int64()).to_numpy()
    is_outside = (milliseconds < 0) | (milliseconds >= _TIME_END)
    if is_outside.any():
        row = int(is_outside.argmax())
        raise ArgumentError(
            f"Row {row}, field 'time': {milliseconds[row]} milliseconds since 1970 cannot be written in an id, which "
            "holds times from 1970 to 10889."
        )
    return milliseconds.astype(">i8").view(np.uint8).reshape(-1, 8)[:, 2:]
