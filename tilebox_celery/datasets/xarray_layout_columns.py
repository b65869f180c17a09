"""Gather one column of a load, page by page, into one numpy array."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import pyarrow as pa

from tilebox_celery.datasets.schema import VECTOR_SIZES, FieldType
from tilebox_celery.datasets.xarray_layout_values import CONVERTERS, DTYPES, enum_names, vectors

_SLICE_ROWS = 16_384
"""Rows that are converted at once: their intermediate forms stay in the cache, and other threads get their turn."""
_TEXT_ROWS = 65_536
"""Texts are converted in larger parts, since equal texts of one part are made once."""
_MOST_WASTE = 8
"""An array with less than this part of it unused is handed out as it is."""


class Column(Protocol):
    """Takes the parts of a column, and gives its values."""

    def add(self, column: pa.ChunkedArray, expected: int) -> None: ...
    def values(self) -> np.ndarray: ...


class FixedColumn:
    """Converts each part as it comes, into an array that has room for the parts to come.

    Args:
        field_type: Of the column; vectors get a second dimension.

    Example:
        >>> column = FixedColumn(FieldType.INT64)
        >>> column.add(pa.chunked_array([[7, None]]), 3)
        >>> column.add(pa.chunked_array([[8]]), 1)
        >>> column.values()
        array([7, 0, 8])
    """

    def __init__(self, field_type: FieldType) -> None:
        self._convert: Callable[[pa.Array], np.ndarray] = CONVERTERS.get(field_type, vectors)
        self._values = np.empty(self._shape(field_type, 0), DTYPES.get(field_type, np.dtype("float64")))
        self._count = 0

    @staticmethod
    def _shape(field_type: FieldType, rows: int) -> tuple[int, ...]:
        return (rows, VECTOR_SIZES[field_type]) if field_type in VECTOR_SIZES else (rows,)

    def add(self, column: pa.ChunkedArray, expected: int) -> None:
        """Take the next part; `expected` rows, with these, may still come."""
        end = self._count + len(column)
        if end > len(self._values):
            capacity = max(end, self._count + expected, 2 * len(self._values))
            roomier = np.empty((capacity, *self._values.shape[1:]), self._values.dtype)
            roomier[: self._count] = self._values[: self._count]
            self._values = roomier
        for part in _slices(column):
            self._values[self._count : self._count + len(part)] = self._convert(part)
            self._count += len(part)

    def values(self) -> np.ndarray:
        """Return all of them."""
        found: np.ndarray = self._values[: self._count]
        is_wasteful = (len(self._values) - self._count) * _MOST_WASTE > len(self._values)
        return found.copy() if is_wasteful else found


class WholeColumn:
    """Keeps the parts, for values whose form depends on all of them.

    Args:
        convert: Turns all parts into values.
    """

    def __init__(self, convert: Callable[[pa.ChunkedArray], np.ndarray]) -> None:
        self._convert = convert
        self._parts: list[pa.Array] = []

    def add(self, column: pa.ChunkedArray, expected: int) -> None:
        """Take the next part."""
        del expected
        self._parts += column.chunks or [pa.array([], column.type)]

    def values(self) -> np.ndarray:
        """Return all of them."""
        return self._convert(pa.chunked_array(self._parts))


def enum_column() -> WholeColumn:
    """Return a column of names, each as wide as the longest of all.

    Example:
        >>> column = enum_column()
        >>> column.add(pa.chunked_array([["L1"], ["L2A"]]), 0)
        >>> column.values()
        array(['L1', 'L2A'], dtype='<U3')
    """
    return _EnumColumn(enum_names)


class _EnumColumn(WholeColumn):
    def add(self, column: pa.ChunkedArray, expected: int) -> None:
        is_encoded = pa.types.is_dictionary(column.type)
        super().add(column if is_encoded else column.dictionary_encode(), expected)


def to_values(column: pa.ChunkedArray, field_type: FieldType) -> np.ndarray:
    """Return a numpy array with one value (a row of values for vectors) for each value of a column.

    Example:
        >>> to_values(pa.chunked_array([[7, None]]), FieldType.INT64)
        array([7, 0])
    """
    into = enum_column() if field_type is FieldType.ENUM else FixedColumn(field_type)
    into.add(column, len(column))
    return into.values()


def _slices(column: pa.ChunkedArray) -> Iterator[pa.Array]:
    has_texts = pa.types.is_dictionary(column.type) or pa.types.is_string(column.type)
    rows = _TEXT_ROWS if has_texts else _SLICE_ROWS
    for chunk in column.chunks:
        for start in range(0, len(chunk), rows):
            yield chunk.slice(start, rows)
