"""Turn a column of incoming data into the Arrow column of a field: as a whole where it fits, else value by value."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tilebox_celery.datasets.arrow_types import TIME_TYPE, value_type
from tilebox_celery.datasets.incoming_arrow import convert_array
from tilebox_celery.datasets.incoming_geometries import read_geometries
from tilebox_celery.datasets.incoming_place import Place, shown
from tilebox_celery.datasets.incoming_values import is_missing, json_from_text, read_values
from tilebox_celery.datasets.incoming_vectors import read_vectors
from tilebox_celery.datasets.schema import VECTOR_SIZES, Field, FieldType

Column: TypeAlias = pa.Array | np.ndarray | Sequence[Any]
"""A column as it comes in: an Arrow array, a numpy array of one or two dimensions, or a sequence of Python values."""

_ARROW_TYPES = {
    frozenset({str}): pa.string(),
    frozenset({bytes}): pa.binary(),
    frozenset({bool}): pa.bool_(),
    frozenset({int}): pa.int64(),
    frozenset({float}): pa.float64(),
    frozenset({datetime}): pa.timestamp("us"),  # of any timezone, none among them: Arrow converts to UTC too
}
"""Python types of which Arrow takes whole lists just as `read_values` takes single ones."""


def to_column(values: Column, field: Field) -> pa.Array:
    """Return the column of a field in the type of `arrow_type`.

    Raises:
        ArgumentError: A value is not of the type of the field; the first row with one is named.

    Example:
        >>> to_column([1.5, None], Field("cloud_cover", FieldType.DOUBLE)).type
        DataType(double)
    """
    place = Place(field.name)
    return _lists(values, field.type, place) if field.is_array else _scalars(values, field.type, place)


def to_time(values: Column) -> pa.Array:
    """Return the column `time`, cut to milliseconds.

    Raises:
        ArgumentError: A time is missing or no time, or it lies before 1970, which no id can hold.
    """
    place = Place("time")
    nanoseconds = _scalars(values, FieldType.TIMESTAMP, place)
    if nanoseconds.null_count:
        row = pc.index(nanoseconds.is_null(), True).as_py()
        raise place.refusal(row, "the time is missing, and a datapoint needs one")
    counts = nanoseconds.cast(pa.int64())
    is_early = pc.less(counts, 0)
    if pc.any(is_early).as_py():
        row = pc.index(is_early, True).as_py()
        raise place.refusal(row, f"{nanoseconds[row]} lies before 1970, and an id can hold later times only")
    return pc.divide(counts, 1_000_000).cast(TIME_TYPE)


def _scalars(values: Column, field_type: FieldType, place: Place) -> pa.Array:
    if field_type in VECTOR_SIZES:
        return read_vectors(values, field_type, place)
    array = None if isinstance(values, np.ndarray) and values.ndim > 1 else _as_array(values)
    if field_type is FieldType.GEOMETRY:
        return read_geometries(list(values) if array is None else array.to_pylist(), place)
    if array is None:
        return read_values(list(values), field_type, place)
    if field_type is FieldType.JSON and isinstance(values, pa.Array) and pa.types.is_string(array.type):
        return json_from_text(array.to_pylist(), place)  # in Arrow a text is JSON, in Python it is a value
    converted = convert_array(array, field_type)
    return read_values(_single_values(array), field_type, place) if converted is None else converted


def _single_values(array: pa.Array) -> list[Any]:
    """Return single values; instants are those of numpy, which hold any year, while a datetime does not."""
    is_time = pa.types.is_timestamp(array.type) or pa.types.is_duration(array.type)
    return list(array.to_numpy(zero_copy_only=False)) if is_time else array.to_pylist()


def _as_array(values: Column) -> pa.Array | None:
    """Return an Arrow array without dictionary and extension types, or None for Python values of other types."""
    if isinstance(values, pa.Array):
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        plain = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
        is_text = pa.types.is_large_string(plain.type) or pa.types.is_string_view(plain.type)
        return plain.cast(pa.string()) if is_text else plain
    if isinstance(values, np.ndarray) and values.dtype != object:
        return _from_numpy(values)
    kinds = frozenset(map(type, values)) - {type(None)}
    try:
        return pa.array(values, _ARROW_TYPES[kinds], from_pandas=False)
    except (KeyError, ValueError, OverflowError):
        return None


def _from_numpy(values: np.ndarray) -> pa.Array | None:
    values = values.astype(values.dtype.newbyteorder("="))
    if values.dtype.kind in "mM" and (unit := np.datetime_data(values.dtype)[0]) not in ("s", "ms", "us", "ns"):
        if unit in ("ps", "fs", "as"):
            values = values.astype(f"{values.dtype.kind}8[ns]")
        else:
            seconds = values.astype(f"{values.dtype.kind}8[s]")
            if not (np.isnat(values) | (seconds.astype(values.dtype) == values)).all():
                return None  # an overflow, which numpy does not say
            values = seconds
    return pa.array(values) if values.dtype.kind in "biufmMUS" else None


def _lists(values: Column, field_type: FieldType, place: Place) -> pa.Array:
    """Return a list array: all elements as one column, then cut by the lengths of the lists."""
    elements, lengths, is_absent = _elements(values, place)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    column = _scalars(elements, field_type, Place(place.name, rows))
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, column, pa.list_(value_type(field_type)), mask=pa.array(is_absent))


def _elements(values: Column, place: Place) -> tuple[Column, np.ndarray, np.ndarray]:
    """Return the elements of all lists, the length of each list, and which lists are absent."""
    if isinstance(values, np.ndarray) and values.ndim == 2:
        count = len(values)
        return values.reshape(-1), np.full(count, values.shape[1]), np.zeros(count, dtype=bool)
    if isinstance(values, pa.Array) and is_list(values.type):
        lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy()
        return values.flatten(), lengths, values.is_null().to_numpy(zero_copy_only=False)
    python_values = values.to_pylist() if isinstance(values, pa.Array) else values
    elements: list[Any] = []
    lengths, is_absent = np.zeros(len(python_values), dtype=np.int64), np.zeros(len(python_values), dtype=bool)
    for row, value in enumerate(python_values):
        if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
            elements.extend(value)
            lengths[row] = len(value)
        elif is_missing(value):
            is_absent[row] = True
        else:
            raise place.refusal(row, f"expected a list, but got {shown(value)} ({type(value).__name__})")
    return elements, lengths, is_absent


def is_list(kind: pa.DataType) -> bool:
    """Return whether the values of an Arrow type are lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
