"""Lay out a table of datapoints as an xarray dataset, the form in which users get them."""

import numpy as np
import pyarrow as pa
import xarray as xr

from tilebox_celery.datasets.arrow_types import arrow_type
from tilebox_celery.datasets.garbage import collector_paused
from tilebox_celery.datasets.schema import VECTOR_DIMENSIONS, FieldType, Schema
from tilebox_celery.datasets.xarray_layout_lists import name_dimensions, to_padded
from tilebox_celery.datasets.xarray_layout_values import to_values


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
    if table.num_rows == 0:
        return xr.Dataset()
    with collector_paused():
        variables, coordinates = ({}, {}) if skip_data else _fields(table, schema)
        times = {
            name: _variable(("time",), to_values(table.column(name).cast(pa.timestamp("ns")), FieldType.TIMESTAMP))
            for name in ("ingestion_time", "time")
        }
        ids = _variable(("time",), to_values(table.column("id"), FieldType.UUID))
    return xr.Dataset(
        variables,
        {"ingestion_time": times["ingestion_time"], "id": ids, "time": times["time"], **coordinates},
    )


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


def _fields(table: pa.Table, schema: Schema) -> tuple[dict[str, xr.Variable], dict[str, xr.Variable]]:
    """Return the variables in the order of the schema, and the coordinates of their inner dimensions."""
    values: dict[str, np.ndarray] = {}
    dimensions: dict[str, str] = {}
    coordinates: dict[str, xr.Variable] = {}
    for field in schema.fields:
        kind = arrow_type(field)
        has_column = field.name in table.column_names
        column = table.column(field.name) if has_column else pa.chunked_array([pa.nulls(table.num_rows, kind)])
        values[field.name] = (to_padded if field.is_array else to_values)(column, field.type)
        if field.type in VECTOR_DIMENSIONS:
            dimension, labels = VECTOR_DIMENSIONS[field.type]
            dimensions[field.name] = dimension
            coordinates[dimension] = _variable((dimension,), np.array(labels))
    lengths = {field.name: values[field.name].shape[1] for field in schema.fields if field.is_array}
    dimensions.update(name_dimensions({name: length for name, length in lengths.items() if length > 0}))
    return {
        name: _variable(("time", dimensions[name]) if array.ndim == 2 else ("time",), array)
        for name, array in values.items()
        if lengths.get(name) != 0
    }, coordinates


def _variable(dimensions: tuple[str, ...], values: np.ndarray) -> xr.Variable:
    """Return a variable of exactly these values: xarray would look at each object, and make NaN of None."""
    return xr.Variable(dimensions, values, fastpath=True)
