"""Lay out a table of datapoints as an xarray dataset, the form in which users get them."""

from functools import partial

import numpy as np
import pyarrow as pa
import xarray as xr

from tilebox_celery.datasets.arrow_types import arrow_type
from tilebox_celery.datasets.garbage import collector_paused
from tilebox_celery.datasets.schema import VECTOR_DIMENSIONS, Field, FieldType, Schema
from tilebox_celery.datasets.xarray_layout_columns import Column, FixedColumn, WholeColumn, enum_column
from tilebox_celery.datasets.xarray_layout_lists import name_dimensions, to_padded


def to_xarray(table: pa.Table, schema: Schema, skip_data: bool = False) -> xr.Dataset:
    """Return datapoints as a dataset with the dimension `time`.

    Its coordinates are `ingestion_time`, `id` and `time`, its variables the fields. Absent values are None, NaN, NaT,
    an empty text, False or 0, by the type of the field. Arrays get a dimension of their own, `n_` and the name of the
    field, and are padded at the end; an array field without any element is left out.

    Args:
        table: With the columns of `table_schema`, sorted; a field without a column is absent everywhere.
        schema: Of the dataset.
        skip_data: Whether to return the coordinates only.

    Returns:
        The dataset; without any row it has no dimension and no variable.

    Example:
        >>> from tilebox_celery.datasets.arrow_types import table_schema
        >>> from tilebox_celery.datasets.schema import DatasetKind, Field
        >>> schema = Schema(DatasetKind.TEMPORAL, (Field("cloud_cover", FieldType.DOUBLE),))
        >>> row = {"time": 0, "id": bytes(16), "ingestion_time": 0, "cloud_cover": 12.5}
        >>> to_xarray(pa.Table.from_pylist([row], table_schema(schema)), schema).cloud_cover.values
        array([12.5])
    """
    layout = Layout(schema, skip_data)
    with collector_paused():
        layout.add(table, table.num_rows)
        return layout.dataset()


def to_datapoint(table: pa.Table, schema: Schema, skip_data: bool = False) -> xr.Dataset:
    """Return the only datapoint of a table, its time a scalar.

    Example:
        >>> from tilebox_celery.datasets.arrow_types import table_schema
        >>> from tilebox_celery.datasets.schema import DatasetKind
        >>> schema = Schema(DatasetKind.TEMPORAL)
        >>> table = pa.Table.from_pylist([{"time": 0, "id": bytes(16), "ingestion_time": 0}], table_schema(schema))
        >>> dict(to_datapoint(table, schema).sizes)
        {}
    """
    return to_xarray(table.slice(0, 1), schema, skip_data).isel(time=0)


class Layout:
    """Lays out datapoints as they arrive, so that no second form of all of them exists at a time.

    Args:
        schema: Of the dataset.
        skip_data: Whether to lay out the coordinates only.

    Example:
        >>> from tilebox_celery.datasets.schema import DatasetKind
        >>> Layout(Schema(DatasetKind.TEMPORAL)).dataset().sizes
        Frozen({})
    """

    def __init__(self, schema: Schema, skip_data: bool = False) -> None:
        self._fields = () if skip_data else schema.fields
        self._identity: dict[str, Column] = {
            name: FixedColumn(FieldType.UUID if name == "id" else FieldType.TIMESTAMP)
            for name in ("ingestion_time", "id", "time")
        }
        self._columns: dict[str, Column] = {field.name: _column(field) for field in self._fields}
        self._count = 0

    def add(self, table: pa.Table, expected: int = 0) -> None:
        """Lay out the next datapoints.

        Args:
            table: With the columns of `table_schema`; a field without a column is absent everywhere.
            expected: Rows that may still come, with these: room is made for them at once.
        """
        with collector_paused():
            for name, into in self._identity.items():
                column = table.column(name)
                into.add(column if name == "id" else column.cast(pa.timestamp("ns")), expected)
            for field in self._fields:
                if field.name in table.column_names:
                    column = table.column(field.name)
                else:
                    column = pa.chunked_array([pa.nulls(table.num_rows, arrow_type(field))])
                self._columns[field.name].add(column, expected)
            self._count += table.num_rows

    def dataset(self) -> xr.Dataset:
        """Return all of them; without any row, a dataset without dimensions and variables."""
        if self._count == 0:
            return xr.Dataset()
        times = {name: _variable(("time",), column.values()) for name, column in self._identity.items()}
        variables, coordinates = self._variables()
        return xr.Dataset(variables, {**times, **coordinates})

    def _variables(self) -> tuple[dict[str, xr.Variable], dict[str, xr.Variable]]:
        """Return the variables in the order of the schema, and the coordinates of their inner dimensions."""
        values = {name: self._columns.pop(name).values() for name in [*self._columns]}
        dimensions: dict[str, str] = {}
        coordinates: dict[str, xr.Variable] = {}
        for field in self._fields:
            if field.type in VECTOR_DIMENSIONS:
                dimension, labels = VECTOR_DIMENSIONS[field.type]
                dimensions[field.name] = dimension
                coordinates[dimension] = _variable((dimension,), np.array(labels))
        lengths = {field.name: values[field.name].shape[1] for field in self._fields if field.is_array}
        dimensions.update(name_dimensions({name: length for name, length in lengths.items() if length > 0}))
        return {
            name: _variable(("time", dimensions[name]) if array.ndim == 2 else ("time",), array)
            for name, array in values.items()
            if lengths.get(name) != 0
        }, coordinates


def _column(field: Field) -> Column:
    if field.is_array:
        return WholeColumn(partial(to_padded, field_type=field.type))
    return enum_column() if field.type is FieldType.ENUM else FixedColumn(field.type)


def _variable(dimensions: tuple[str, ...], values: np.ndarray) -> xr.Variable:
    """Return a variable of exactly these values: xarray would look at each object, and make NaN of None."""
    return xr.Variable(dimensions, values, fastpath=True)
