"""Write the SELECT of rows: every value travels as a parameter, every name is quoted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.schema import DatasetKind, Field, Schema
from tilebox_celery.datasets.store.columns import column_name, from_stored, without_extension
from tilebox_celery.datasets.store.quoting import quoted
from tilebox_celery.datasets.store.records import CollectionRecord, DatasetRecord
from tilebox_celery.datasets.store.row_tables import NAMESPACE, table_name

IDENTITY = ("time", "id", "ingestion_time")
IDENTITY_TYPES = table_schema(Schema(DatasetKind.TEMPORAL))


@dataclass
class Conditions:
    """Conditions of a WHERE and the values of their places, in the order of $1, $2 ..."""

    texts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def bind(self, value: Any, type_name: str) -> str:
        """Take a value and return its place."""
        self.values.append(value)
        return f"${len(self.values)}::{type_name}"

    def add(self, text: str) -> None:
        """Take a condition that all rows must meet."""
        self.texts.append(text)

    def __str__(self) -> str:
        """Return what stands after WHERE."""
        return " and ".join(self.texts) or "true"


def rows_of(dataset: DatasetRecord) -> str:
    """Return the quoted name of a dataset's table."""
    return quoted(NAMESPACE, table_name(dataset.key))


def in_interval(collection: CollectionRecord, first_ms: int, end_ms: int) -> Conditions:
    """Return the conditions of a half-open interval of one collection.

    These three are whole numbers of our own and stand in the text: without parameters the driver streams the answer by
    COPY, and with some it holds all of it in memory first.
    """
    conditions = Conditions()
    conditions.add(f"_collection = {int(collection.key)}")
    conditions.add(f"time >= {int(first_ms)} and time < {int(end_ms)}")
    return conditions


def select_rows(dataset: DatasetRecord, fields: Sequence[Field], conditions: Conditions) -> str:
    """Return the statement that reads some fields of rows, sorted by (time, id)."""
    columns = [*IDENTITY, *(column_name(each.name) for each in fields)]
    listed = ", ".join(quoted(name) for name in columns)
    return f"select {listed} from {rows_of(dataset)} where {conditions} order by time, id"  # noqa: S608  # quoted above


def canonical(rows: pa.Table, fields: Sequence[Field]) -> pa.Table:
    """Return rows as they came from `select_rows` in their canonical types."""
    identity = [
        without_extension(rows.column(place)).cast(IDENTITY_TYPES.field(name).type)
        for place, name in enumerate(IDENTITY)
    ]
    values = [from_stored(rows.column(3 + place), each) for place, each in enumerate(fields)]
    return pa.table([*identity, *values], names=[*IDENTITY, *(each.name for each in fields)])
