"""Find the type of each field from the values that come in."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from shapely.geometry.base import BaseGeometry

from tilebox_celery.datasets.incoming_columns import Column, is_list
from tilebox_celery.datasets.incoming_place import shown
from tilebox_celery.datasets.incoming_sources import Columns
from tilebox_celery.datasets.incoming_values import is_missing
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.errors import ArgumentError

_UUID_LENGTH = 36
_PYTHON_TYPES: tuple[tuple[type | tuple[type, ...], FieldType], ...] = (
    ((bool, np.bool_), FieldType.BOOL),
    (str, FieldType.STRING),
    ((bytes, bytearray, memoryview), FieldType.BYTES),
    ((datetime, date, np.datetime64), FieldType.TIMESTAMP),
    ((timedelta, np.timedelta64), FieldType.DURATION),
    ((int, np.signedinteger), FieldType.INT64),
    (np.unsignedinteger, FieldType.UINT64),
    ((float, np.floating, Decimal), FieldType.DOUBLE),
    (UUID, FieldType.UUID),
    (BaseGeometry, FieldType.GEOMETRY),
    (Mapping, FieldType.JSON),
)
_WIDER = {
    frozenset({FieldType.INT64, FieldType.DOUBLE}): FieldType.DOUBLE,
    frozenset({FieldType.INT64, FieldType.UINT64}): FieldType.UINT64,
}
_ARROW_TYPES: dict[str, FieldType] = {
    "string": FieldType.STRING,
    "large_string": FieldType.STRING,
    "string_view": FieldType.STRING,
    "binary": FieldType.BYTES,
    "large_binary": FieldType.BYTES,
    "bool": FieldType.BOOL,
    **dict.fromkeys(("int8", "int16", "int32", "uint8", "uint16"), FieldType.INT32),
    **dict.fromkeys(("int64", "uint32"), FieldType.INT64),
    "uint64": FieldType.UINT64,
    **dict.fromkeys(("halffloat", "float"), FieldType.FLOAT),
    "double": FieldType.DOUBLE,
    **dict.fromkeys(("date32[day]", "date64[ms]"), FieldType.TIMESTAMP),
    "fixed_size_binary[16]": FieldType.UUID,
    "extension<arrow.uuid>": FieldType.UUID,
}


def schema_of(columns: Columns, kind: DatasetKind | None) -> Schema:
    """Return the schema that holds these columns; a column without any value is left out.

    Raises:
        ArgumentError: A name or the values of a column fit no field.
    """
    fields = [
        found
        for name, values in columns.values.items()
        if name != "time" and (found := _field(name, values, columns.types.get(name)))
    ]
    has_footprint = any(each.name == "geometry" and each.type is FieldType.GEOMETRY for each in fields)
    return Schema(kind or (DatasetKind.SPATIOTEMPORAL if has_footprint else DatasetKind.TEMPORAL), tuple(fields))


def has_values(values: Column) -> bool:
    """Return whether a column has any value that is neither missing nor an empty list."""
    if isinstance(values, pa.Array):
        if is_list(values.type):
            return bool(pc.any(pc.greater(pc.list_value_length(values), 0)).as_py())
        return bool(values.null_count < len(values))
    if isinstance(values, np.ndarray) and (values.dtype.kind not in "fmMO" or values.ndim > 1):
        return bool(values.size)
    return not all(is_missing(value) or (isinstance(value, list | tuple) and not value) for value in values)


def _field(name: str, values: Column, known: FieldType | None) -> Field | None:
    if not has_values(values):
        return None
    if known is not None or (name == "geometry" and _may_be_geometry(values)):
        return Field(name, known or FieldType.GEOMETRY)
    if isinstance(values, np.ndarray) and values.dtype != object:
        return _numpy_field(name, values)
    if isinstance(values, pa.Array):
        return _arrow_field(name, values)
    return _python_field(name, [value for value in values if not is_missing(value)])


def _numpy_field(name: str, values: np.ndarray) -> Field:
    if values.dtype.kind == "U" and values.ndim == 1:
        return Field(name, FieldType.UUID if _are_uuids(values) else FieldType.ENUM)
    element = values.reshape(-1)[:1].astype(values.dtype.newbyteorder("="))
    return Field(name, _arrow_type(name, pa.array(element).type), is_array=values.ndim == 2)


def _arrow_field(name: str, values: pa.Array) -> Field | None:
    kind = values.type
    if is_list(kind):
        if pa.types.is_null(kind.value_type):
            return None
        if pa.types.is_nested(kind.value_type):
            return Field(name, FieldType.JSON)
        return Field(name, _arrow_type(name, kind.value_type), is_array=True)
    return Field(name, _arrow_type(name, kind))


def _arrow_type(name: str, kind: pa.DataType) -> FieldType:
    if pa.types.is_dictionary(kind):
        return FieldType.ENUM
    if pa.types.is_nested(kind):
        return FieldType.JSON
    if pa.types.is_timestamp(kind):
        return FieldType.TIMESTAMP
    if pa.types.is_duration(kind):
        return FieldType.DURATION
    if (found := _ARROW_TYPES.get(str(kind))) is None:
        raise ArgumentError(f"The column {name!r} has the Arrow type {kind}, which no type of field holds: cast it.")
    return found


def _python_field(name: str, values: list[Any]) -> Field | None:
    """Return the field of Python values, none of which is missing."""
    if all(isinstance(value, list | tuple | np.ndarray) for value in values):
        elements = [each for value in values for each in value if not _is_absent_element(each)]
        if any(isinstance(each, list | tuple | dict | np.ndarray) for each in elements):
            return Field(name, FieldType.JSON)
        return Field(name, _python_type(name, elements), is_array=True) if elements else None
    return Field(name, _python_type(name, values))


def _is_absent_element(value: Any) -> bool:
    return not isinstance(value, list | tuple | dict | np.ndarray) and is_missing(value)


def _python_type(name: str, values: list[Any]) -> FieldType:
    found: FieldType | None = None
    for value in values:
        each = next((field_type for types, field_type in _PYTHON_TYPES if isinstance(value, types)), None)
        if each is FieldType.INT64 and value >= 1 << 63:
            each = FieldType.UINT64
        if each is None:
            raise ArgumentError(
                f"The column {name!r} has the value {shown(value)} ({type(value).__name__}), which no field can hold."
            )
        if found is not None and each is not found:
            each = _WIDER.get(frozenset({found, each}))
            if each is None:
                raise ArgumentError(f"The column {name!r} has values of different types: give the dataset a schema.")
        found = each
    return found or FieldType.STRING


def _may_be_geometry(values: Column) -> bool:
    """Return whether a column named `geometry` holds geometries: objects, GeoJSON, WKB or WKT."""
    if isinstance(values, pa.Array):
        return bool(pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type))
    first = next((value for value in values if not is_missing(value)), None)
    return isinstance(first, BaseGeometry | bytes | Mapping)


def _are_uuids(values: np.ndarray) -> bool:
    """Return whether all texts are UUIDs or empty, as a loaded field of UUIDs is."""
    if values.dtype.itemsize != _UUID_LENGTH * 4:
        return False
    try:
        return all(UUID(text) for text in values if text)
    except ValueError:
        return False
