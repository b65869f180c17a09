"""A dataset with a field of every type, and tables of its datapoints."""

import json
import uuid
from typing import Any

import pyarrow as pa
import shapely
from hypothesis import strategies as st

from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.schema import VECTOR_SIZES, DatasetKind, Field, FieldType, Schema

SCALARS = tuple(Field(f"one_{each}", each) for each in FieldType)
ARRAYS = tuple(Field(f"all_{each}", each, is_array=True) for each in FieldType if each not in VECTOR_SIZES)
EVERY_TYPE = Schema(DatasetKind.TEMPORAL, SCALARS + ARRAYS)

NANOSECONDS = 1 << 62  # some 146 years to either side of 1970
MILLISECONDS = st.integers(0, 9_223_372_036_000)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
JSON_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
LONGITUDES, LATITUDES = st.floats(-180, 170), st.floats(-90, 80)
GEOMETRIES = st.builds(shapely.Point, LONGITUDES, LATITUDES) | st.builds(
    lambda west, south, size: shapely.box(west, south, west + size, south + size),
    LONGITUDES,
    LATITUDES,
    st.floats(0.1, 10),
)


def numbers(size: int) -> st.SearchStrategy[list[float]]:
    """Vectors that a latitude and a longitude may be as well."""
    return st.lists(st.floats(-90, 90), min_size=size, max_size=size)


VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.STRING: TEXTS,
    FieldType.BYTES: st.binary(max_size=8),
    FieldType.BOOL: st.booleans(),
    FieldType.INT32: st.integers(-(2**31), 2**31 - 1),
    FieldType.INT64: st.integers(-(2**63), 2**63 - 1),
    FieldType.UINT64: st.integers(0, 2**64 - 1),
    FieldType.FLOAT: st.floats(width=32, allow_nan=False),
    FieldType.DOUBLE: st.floats(allow_nan=False),
    FieldType.TIMESTAMP: st.integers(-NANOSECONDS, NANOSECONDS),
    FieldType.DURATION: st.integers(-NANOSECONDS, NANOSECONDS),
    FieldType.UUID: st.uuids().map(lambda each: each.bytes),
    FieldType.ENUM: TEXTS.filter(bool),
    FieldType.GEOMETRY: GEOMETRIES.map(lambda each: shapely.to_wkb(each, byte_order=1)),
    FieldType.JSON: JSON_VALUES.map(lambda each: json.dumps(each, sort_keys=True, separators=(",", ":"))),
    **{field_type: numbers(size) for field_type, size in VECTOR_SIZES.items()},
}
"""Values of each type as they stand in the canonical table."""


def rows(schema: Schema = EVERY_TYPE) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows without ids, any field of which may be absent."""
    fields = {
        field.name: st.none() | (st.lists(VALUES[field.type], max_size=3) if field.is_array else VALUES[field.type])
        for field in schema.fields
    }
    return st.lists(st.fixed_dictionaries({"time": MILLISECONDS, **fields}), max_size=4)


def make_table(values: list[dict[str, Any]], schema: Schema = EVERY_TYPE) -> pa.Table:
    """Return the canonical table of rows, each with an id of its own."""
    names = table_schema(schema).names
    filled = [
        dict.fromkeys(names) | {"id": uuid.UUID(int=number).bytes, "ingestion_time": number} | row
        for number, row in enumerate(values, 1)
    ]
    return pa.Table.from_pylist(filled, table_schema(schema))
