"""Turn data in any form that users have it in into the one table that datasets are made of."""

from typing import Any

import pyarrow as pa

from tilebox_celery.datasets.arrow_types import arrow_type, table_schema
from tilebox_celery.datasets.garbage import collector_paused
from tilebox_celery.datasets.incoming_columns import to_column, to_time
from tilebox_celery.datasets.incoming_schema import has_values, schema_of
from tilebox_celery.datasets.incoming_sources import Columns, read_columns
from tilebox_celery.datasets.schema import DatasetKind, Schema
from tilebox_celery.errors import ArgumentError


def to_table(data: Any, schema: Schema) -> pa.Table:
    """Read data into a table with the columns of `table_schema(schema, with_ids=False)`, its rows in their order.

    A field that the data lacks is absent. Whatever stands for no value (None, NaN, NaT, NA) is absent as well. The ids
    and ingestion times of a loaded dataset are ignored, and the padding of its arrays is cut off.

    Args:
        data: Records (dicts), a dict of columns, a DataFrame or GeoDataFrame, an xarray.Dataset, a pyarrow.Table, or
            the path of a NetCDF or Parquet file. Coordinates are in degrees; a GeoDataFrame is reprojected.
        schema: Of the dataset.

    Raises:
        ArgumentError: A value cannot be used (its row, counted from 0, and its field are named), a column belongs to no
            field, `time` is missing, or the data is in no known form.

    Example:
        >>> from tilebox_celery.datasets.schema import Field, FieldType
        >>> schema = Schema(DatasetKind.TEMPORAL, (Field("cloud_cover", FieldType.DOUBLE),))
        >>> to_table([{"time": "2024-08-01", "cloud_cover": 12.5}], schema).column_names
        ['time', 'cloud_cover']
    """
    with collector_paused():
        columns = read_columns(data)
        _refuse_unknown(columns, schema)
        count = len(columns)
        time = to_time(columns.values["time"]) if "time" in columns.values else pa.array([], pa.timestamp("ms"))
        arrays = [
            to_column(columns.values[field.name], field)
            if field.name in columns.values
            else pa.nulls(count, arrow_type(field))
            for field in schema.fields
        ]
    return pa.Table.from_arrays([time, *arrays], schema=table_schema(schema, with_ids=False))


def infer_schema(data: Any, kind: DatasetKind | None = None) -> Schema:
    """Return a schema that holds this data.

    Args:
        data: As for `to_table`; an iterator is used up.
        kind: Of the dataset; without one it is spatiotemporal if there is a `geometry`, else temporal.

    Raises:
        ArgumentError: The values of a column have no type in common, or its name cannot be one of a field.

    Example:
        >>> infer_schema([{"time": "2024-08-01", "orbit": 7}]).by_name["orbit"].type
        <FieldType.INT64: 'int64'>
    """
    return schema_of(read_columns(data), kind)


def _refuse_unknown(columns: Columns, schema: Schema) -> None:
    """Refuse columns of no field; one without any value is ignored, as `infer_schema` does."""
    for name, values in columns.values.items():
        if name != "time" and name not in schema.by_name and has_values(values):
            known = ", ".join(field.name for field in schema.fields) or "none"
            raise ArgumentError(
                f"The dataset has no field {name!r}: leave it out or add the field. Its fields: {known}."
            )
