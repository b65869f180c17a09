"""What people use without segments: SQLAlchemy, ADBC, and DuckDB over GeoParquet, each to the same xarray.

What the two that speak Arrow give becomes xarray by our own code, so that only the way to it differs. The rows of
SQLAlchemy become columns of numpy, which is faster than to convert them one by one.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import sqlalchemy
import xarray as xr

from benchmarks.sentinel1 import schema
from tilebox_celery.datasets.schema import FieldType
from tilebox_celery.datasets.store.records import DatasetRecord
from tilebox_celery.datasets.store.selection import IDENTITY, Conditions, canonical, select_rows
from tilebox_celery.datasets.xarray_layout import to_xarray

Load = Callable[[], xr.Dataset]
ROW_GROUP = 65_536
_DTYPES = {
    FieldType.STRING: object,
    FieldType.ENUM: np.str_,
    FieldType.BOOL: np.bool_,
    FieldType.INT64: np.int64,
    FieldType.DOUBLE: np.float64,
    FieldType.LATLON: np.float64,
    FieldType.TIMESTAMP: "datetime64[ns]",
    FieldType.DURATION: "timedelta64[ns]",
}


def adbc_way(url: str, dataset: DatasetRecord) -> Load:
    """Return the way by one SELECT of ADBC, on a new connection."""
    query = select_rows(dataset, dataset.schema.fields, Conditions())

    def load() -> xr.Dataset:
        with adbc_driver_postgresql.dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            rows = cursor.fetch_arrow_table()
        return to_xarray(canonical(rows, dataset.schema.fields), dataset.schema)

    return load


def duckdb_way(parquet: Path) -> Load:
    """Return the way by DuckDB over a GeoParquet file; geometries stay WKB."""

    def load() -> xr.Dataset:
        with duckdb.connect() as connection:
            connection.execute("set enable_geoparquet_conversion = false")
            rows = connection.sql(f"select * from read_parquet('{parquet}')").to_arrow_table()
        return to_xarray(canonical(rows, schema().fields), schema())

    return load


def write_geoparquet(table: pa.Table, file: Path) -> Path:
    """Write datapoints as stac-geoparquet has items: properties as columns, geometries as WKB, sorted by time."""
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    pq.write_table(
        table.replace_schema_metadata({"geo": json.dumps(geo)}), file, compression="zstd", row_group_size=ROW_GROUP
    )
    return file


def sqlalchemy_way(url: str, dataset: DatasetRecord, rows: int) -> Load:
    """Return the way by rows of SQLAlchemy with psycopg, for the first of them."""
    query = sqlalchemy.text(f"{select_rows(dataset, dataset.schema.fields, Conditions())} limit {rows}")

    def load() -> xr.Dataset:
        engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        with engine.connect() as connection:
            columns = list(zip(*connection.execute(query).fetchall(), strict=True))
        engine.dispose()
        time, ids, ingested = columns[: len(IDENTITY)]
        coordinates = {
            "ingestion_time": ("time", np.array([each.replace(tzinfo=None) for each in ingested], "datetime64[ns]")),
            "id": ("time", np.array([str(each) for each in ids])),
            "time": ("time", np.array(time, "datetime64[ms]").astype("datetime64[ns]")),
            "latlon": ("latlon", np.array(["latitude", "longitude"])),
        }
        variables = {
            each.name: _variable(each.type, values)
            for each, values in zip(dataset.schema.fields, columns[len(IDENTITY) :], strict=True)
        }
        return xr.Dataset(variables, coordinates)

    return load


def check_same(name: str, found: xr.Dataset, expected: xr.Dataset) -> None:
    """Check that a way gives the layout and the size of ours, and the values of some datapoints.

    Raises:
        AssertionError: It does not.
    """
    assert found.nbytes == expected.nbytes, f"{name} gave {found.nbytes} bytes for {expected.nbytes}"
    assert dict(found.dtypes) == dict(expected.dtypes), f"{name} gave the types {found.dtypes}"
    places = np.linspace(0, expected.sizes["time"] - 1, 50).astype(int)
    assert found.isel(time=places).equals(expected.isel(time=places)), f"{name} gave other values"


def _variable(kind: FieldType, values: Sequence[Any]) -> xr.Variable:
    if kind is FieldType.GEOMETRY:
        array = shapely.from_wkb(np.array(values, dtype=object))
    elif kind is FieldType.UUID:
        array = np.array([str(each) for each in values])
    else:
        array = np.array(values, _DTYPES[kind])
    # Given as it is: xarray would look at every object.
    return xr.Variable(("time", "latlon")[: array.ndim], array, fastpath=True)
