"""Name and type the column of each field, and turn Arrow values into their stored form and back."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tilebox_celery.datasets.arrow_types import arrow_type
from tilebox_celery.datasets.schema import VECTOR_SIZES, Field, FieldType

SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
"""Postgres gives every table columns of these names."""

_TYPES = {
    FieldType.STRING: "text",
    FieldType.ENUM: "text",
    FieldType.BYTES: "bytea",
    FieldType.BOOL: "boolean",
    FieldType.INT32: "integer",
    FieldType.INT64: "bigint",
    FieldType.UINT64: "bigint",
    FieldType.FLOAT: "real",
    FieldType.DOUBLE: "double precision",
    FieldType.TIMESTAMP: "bigint",
    FieldType.DURATION: "bigint",
    FieldType.UUID: "uuid",
    FieldType.GEOMETRY: "bytea",
    FieldType.JSON: "json",
}
# COPY from Arrow writes the elements of arrays as bytea or text, so these two differ from their scalar form.
_ELEMENT_TYPES = {**_TYPES, FieldType.UUID: "bytea", FieldType.JSON: "text"}
_STORED = {
    FieldType.STRING: pa.string(),
    FieldType.ENUM: pa.string(),
    FieldType.JSON: pa.string(),
    FieldType.TIMESTAMP: pa.int64(),
    FieldType.DURATION: pa.int64(),
}
TOP_BIT = np.uint64(1 << 63)


def column_name(name: str) -> str:
    """Return the column of a field: its name, but with an underscore where Postgres has taken that."""
    return f"_{name}" if name in SYSTEM else name


def column_type(field: Field) -> str:
    """Return the Postgres type of a field's column.

    Nanoseconds are bigint, since timestamptz ends at microseconds. uint64 is bigint moved down by 2**63, which keeps
    its order.
    """
    if field.type in VECTOR_SIZES:
        return "double precision[]"
    return f"{_ELEMENT_TYPES[field.type]}[]" if field.is_array else _TYPES[field.type]


def to_stored(array: pa.Array, field: Field) -> pa.Array:
    """Return values in the form that COPY needs."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if not field.is_array:
        return _scalars_to_stored(array, field.type)
    elements = _ELEMENTS.get(field.type, _STORED.get(field.type))
    if field.type is FieldType.UINT64:
        return _map_elements(array, _moved_down)
    return array if elements is None else array.cast(pa.list_(elements))


def from_stored(array: pa.ChunkedArray, field: Field) -> pa.ChunkedArray:
    """Return stored values in their canonical type."""
    array = without_extension(array)
    canonical = arrow_type(field)
    if field.type is FieldType.UINT64:
        moved = [_map_elements(each, _moved_up) if field.is_array else _moved_up(each) for each in array.chunks]
        return pa.chunked_array(moved, type=canonical)
    return array if array.type == canonical else array.cast(canonical)


def without_extension(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the plain values of a column that the driver has marked as uuid or json."""
    if not isinstance(column.type, pa.BaseExtensionType):
        return column
    return pa.chunked_array([chunk.storage for chunk in column.chunks], type=column.type.storage_type)


_ELEMENTS = {FieldType.UUID: pa.binary()}


def _scalars_to_stored(array: pa.Array, kind: FieldType) -> pa.Array:
    if kind is FieldType.UINT64:
        return _moved_down(array)
    stored = _STORED.get(kind)
    return array if stored is None or array.type == stored else array.cast(stored)


def _moved_down(array: pa.Array) -> pa.Array:
    return pc.bit_wise_xor(array, pa.scalar(TOP_BIT, pa.uint64())).view(pa.int64())


def _moved_up(array: pa.Array) -> pa.Array:
    return pc.bit_wise_xor(array.view(pa.uint64()), pa.scalar(TOP_BIT, pa.uint64()))


def _map_elements(array: pa.Array, change: Any) -> pa.Array:
    """Change the elements of a list array and keep its lists."""
    array = array.take(pa.array(np.arange(len(array))))  # without the offset that a slice has
    return pa.ListArray.from_arrays(array.offsets, change(array.values), mask=array.is_null())
