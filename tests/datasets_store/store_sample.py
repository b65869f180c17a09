"""A schema with a field of every type, and random datapoints of it."""

import json
import random
import uuid
from typing import Any

import pyarrow as pa
import shapely

from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.schema import VECTOR_SIZES, DatasetKind, Field, FieldType, Schema

EVERY_TYPE = Schema(
    DatasetKind.SPATIOTEMPORAL,
    (
        *(Field(f"one_{kind}", kind) for kind in FieldType if kind is not FieldType.GEOMETRY),
        *(Field(f"many_{kind}", kind, is_array=True) for kind in FieldType if kind not in VECTOR_SIZES),
        Field("xmin", FieldType.DOUBLE),
    ),
)
START = 1_500_000_000_000


def sample(count: int, seed: int = 0, *, span_ms: int = 1_000_000, schema: Schema = EVERY_TYPE) -> pa.Table:
    """Return random datapoints with ids, in random order; the same ones for the same arguments."""
    chance = random.Random(f"{count} {seed}")
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        time = START + chance.randrange(span_ms)
        row: dict[str, Any] = {"time": time, "id": time.to_bytes(6, "big") + chance.randbytes(10)}
        row["ingestion_time"] = 0
        for field in schema.fields:
            values = [_value(field.type, chance) for _ in range(chance.randrange(3))]
            row[field.name] = (
                None if chance.random() < 0.2 else values if field.is_array else _value(field.type, chance)
            )
        rows.append(row)
    wanted = table_schema(schema)
    return pa.table({name: pa.array([row[name] for row in rows], wanted.field(name).type) for name in wanted.names})


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return comparable rows, sorted by (time, id), without the ingestion time."""
    columns = {
        name: column.to_pylist() if not _holds_nanoseconds(column.type) else _plain(column)
        for name, column in zip(table.column_names, table.columns, strict=True)
        if name != "ingestion_time"
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return sorted(rows, key=lambda row: (row["time"], row["id"]))


def ids_of(table: pa.Table) -> list[uuid.UUID]:
    """Return the ids of a table."""
    return [uuid.UUID(bytes=each) for each in table.column("id").to_pylist()]


def _value(kind: FieldType, chance: random.Random) -> Any:
    west, south = chance.uniform(-180, 170), chance.uniform(-90, 80)
    values = {
        FieldType.STRING: "Grün\n" + chance.choice("abcdef") * chance.randrange(4),
        FieldType.ENUM: chance.choice(["L1", "L2"]),
        FieldType.BYTES: chance.randbytes(chance.randrange(4)),
        FieldType.BOOL: chance.random() < 0.5,
        FieldType.INT32: chance.choice([-(2**31), 2**31 - 1, 0, 7]),
        FieldType.INT64: chance.choice([-(2**63), 2**63 - 1, 0, 7]),
        FieldType.UINT64: chance.choice([0, 1, 2**63, 2**64 - 1]),
        FieldType.FLOAT: chance.choice([0.5, -1.25, float("inf")]),
        FieldType.DOUBLE: chance.choice([0.1, -1e300, 5.0]),
        FieldType.TIMESTAMP: 1_600_000_000_123_456_789 + chance.randrange(10),
        FieldType.DURATION: chance.randrange(-(10**15), 10**15),
        FieldType.UUID: chance.randbytes(16),
        FieldType.GEOMETRY: shapely.to_wkb(shapely.box(west, south, west + 9, south + 9)),
        FieldType.JSON: json.dumps({"a": [1, None, "ä"]}),
    }
    return [chance.random() for _ in range(VECTOR_SIZES[kind])] if kind in VECTOR_SIZES else values[kind]


def _holds_nanoseconds(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind.value_type if pa.types.is_list(kind) else kind) or pa.types.is_duration(
        kind.value_type if pa.types.is_list(kind) else kind
    )


def _plain(column: pa.ChunkedArray) -> list[Any]:
    return column.cast(pa.list_(pa.int64()) if pa.types.is_list(column.type) else pa.int64()).to_pylist()
