"""Data in any form becomes the same table."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
import xarray as xr
from hypothesis import given

from tests.datasets.datapoint_tables import ARRAYS, EVERY_TYPE, make_table, rows
from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.identifiers import datapoint_ids
from tilebox_celery.datasets.incoming import to_table
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.xarray_layout import to_datapoint, to_xarray
from tilebox_celery.errors import ArgumentError

SCHEMA = Schema(
    DatasetKind.SPATIOTEMPORAL,
    (
        Field("geometry", FieldType.GEOMETRY),
        Field("granule", FieldType.STRING),
        Field("cloud_cover", FieldType.DOUBLE),
        Field("orbit", FieldType.INT64),
        Field("sensed", FieldType.TIMESTAMP),
        Field("bands", FieldType.STRING, is_array=True),
        Field("center", FieldType.LATLON),
    ),
)
BOX = shapely.box(10, 40, 12, 42)
SENSED = datetime(2024, 8, 1, 0, 0, 1, 362123)
RECORDS: list[dict[str, Any]] = [
    {
        "time": datetime(2024, 8, 1, 0, 0, 1, 362999, tzinfo=UTC),
        "geometry": BOX,
        "granule": "S1A",
        "cloud_cover": 12.5,
        "orbit": 7,
        "sensed": SENSED,
        "bands": ["B1", "B2"],
        "center": (41.0, 11.0),
    },
    {"time": datetime(2024, 8, 1, 2, tzinfo=timezone(timedelta(hours=2))), "orbit": None},
]
COLUMNS = {name: [record.get(name) for record in RECORDS] for name in RECORDS[0]}
TABLE = to_table(RECORDS, SCHEMA)


def write(folder: Path, name: str, writer: Any) -> str:
    """Write a file and return its path."""
    writer(folder / name)
    return str(folder / name)


def netcdf_dataset() -> xr.Dataset:
    """The records as a dataset that NetCDF can hold: geometries as WKT, UTC times."""
    frame = pd.DataFrame({"time": pd.to_datetime(COLUMNS["time"], utc=True).tz_localize(None)})
    return xr.Dataset(
        {
            "geometry": ("time", np.array([BOX.wkt, None], dtype=object)),
            "granule": ("time", np.array(["S1A", None], dtype=object)),
            "cloud_cover": ("time", [12.5, np.nan]),
            "center": (("time", "latlon"), [[41.0, 11.0], [np.nan, np.nan]]),
            "bands": (("time", "n_bands"), np.array([["B1", "B2"], ["", ""]])),
        },
        {"time": frame.time.to_numpy(), "latlon": ["latitude", "longitude"]},
    )


class SpeaksArrow:
    """What polars and DuckDB hand over: a stream of Arrow with texts of other layouts."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        texts = pa.chunked_array([TABLE["granule"].combine_chunks().cast(pa.string_view())])
        return TABLE.set_column(2, "granule", texts).__arrow_c_stream__(requested_schema)


def test_records() -> None:
    """3.7: records become the canonical table: time in milliseconds of UTC, absent what a record lacks."""
    assert TABLE.schema == table_schema(SCHEMA, with_ids=False)
    assert TABLE["time"].cast(pa.int64()).to_pylist() == [1722470401362, 1722470400000]
    assert TABLE.slice(0, 1).drop_columns(["time", "geometry"]).to_pylist() == [
        {
            "granule": "S1A",
            "cloud_cover": 12.5,
            "orbit": 7,
            "sensed": pd.Timestamp(SENSED),
            "bands": ["B1", "B2"],
            "center": [41.0, 11.0],
        }
    ]
    assert shapely.from_wkb(TABLE["geometry"][0].as_py()) == BOX
    assert all(TABLE[field.name][1].as_py() is None for field in SCHEMA.fields)


@pytest.mark.parametrize(
    "data",
    [
        (record for record in RECORDS),
        COLUMNS,
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS).set_index("time"),
        pd.DataFrame(COLUMNS).convert_dtypes(),
        gpd.GeoDataFrame(COLUMNS, geometry="geometry", crs=4326),
        gpd.GeoDataFrame(COLUMNS, geometry="geometry").rename_geometry("outline"),
        TABLE,
        TABLE.combine_chunks().to_batches()[0],
        TABLE.to_reader(),
        SpeaksArrow(),
        TABLE.set_column(2, "granule", TABLE["granule"].dictionary_encode()),
        TABLE.set_column(0, "time", TABLE["time"].cast(pa.timestamp("us", "Europe/Berlin"))),
        {name: TABLE[name] for name in TABLE.column_names},
        COLUMNS | {"geometry": [BOX.wkt, None]},
        COLUMNS | {"geometry": [shapely.to_wkb(BOX, byte_order=0), None]},
        COLUMNS | {"geometry": [shapely.to_geojson(BOX), None]},
        COLUMNS | {"geometry": [json.loads(shapely.to_geojson(BOX)), None]},
        COLUMNS | {"center": np.array([[41.0, 11.0], [np.nan, np.nan]]), "orbit": np.array([7.0, np.nan])},
        COLUMNS | {"orbit": [np.int8(7), pd.NA], "cloud_cover": [np.float32(12.5), pd.NaT]},
        COLUMNS | {"sensed": np.array([SENSED, None], dtype="datetime64[us]"), "unknown": [None, float("nan")]},
        COLUMNS | {"sensed": ["2024-08-01T02:00:01.362123+02:00", None], "time": [1722470401.362, 1722470400]},
        COLUMNS | {"id": ["a", "b"], "ingestion_time": [None, 7], "bands": [("B1", "B2"), None]},
    ],
)  # fmt: skip
def test_all_forms_give_the_same_table(data: Any) -> None:
    """3.7: the same data in each form becomes the same table, and so gets the same ids."""
    table = to_table(data, SCHEMA)

    assert table.equals(TABLE)
    assert datapoint_ids(table, b"x").equals(datapoint_ids(TABLE, b"x"))


def test_naive_and_aware_times_mix() -> None:
    """1.3: times without a timezone are in UTC, also next to aware ones."""
    berlin = ZoneInfo("Europe/Berlin")
    times = [datetime(2024, 7, 1), datetime(2024, 7, 1, 2, tzinfo=berlin), datetime(2024, 7, 1, tzinfo=UTC)]

    for data in ([{"time": time} for time in times], {"time": [*map(str, times)]}, {"time": list(reversed(times))}):
        assert set(to_table(data, SCHEMA)["time"].to_pylist()) == {datetime(2024, 7, 1)}


def test_a_projected_frame_is_reprojected() -> None:
    """A GeoDataFrame in another coordinate system arrives in degrees."""
    frame = gpd.GeoDataFrame({"time": ["2024-08-01"]}, geometry=[BOX], crs=4326).to_crs(3857)

    geometry = shapely.from_wkb(to_table(frame, SCHEMA)["geometry"][0].as_py())

    assert geometry.equals_exact(BOX, 1e-6)


@pytest.mark.parametrize("wrap", [gpd.GeoDataFrame, pd.DataFrame, lambda columns: columns])
def test_every_geometry_is_reprojected(wrap: Callable[[dict[str, Any]], Any]) -> None:
    """Also one that is not the active one of a GeoDataFrame, or comes without such a frame."""
    metres = gpd.GeoSeries([shapely.Point(1, 1)], crs=4326).to_crs(32631)
    schema = Schema(DatasetKind.TEMPORAL, (Field("middle", FieldType.GEOMETRY),))

    middle = shapely.from_wkb(to_table(wrap({"time": ["2024-08-01"], "middle": metres}), schema)["middle"][0].as_py())

    assert middle.equals_exact(shapely.Point(1, 1), 1e-6)


def test_geoparquet_of_other_coordinates_is_refused(tmp_path: Path) -> None:
    """Some coordinates in metres look like degrees: what the file says of them counts."""
    frame = gpd.GeoDataFrame({"time": ["2024-08-01"]}, geometry=[shapely.Point(1, 1)], crs=3857)
    frame.to_parquet(tmp_path / "metres.parquet")
    frame.set_crs(None, allow_override=True).to_parquet(tmp_path / "unknown.parquet")

    with pytest.raises(ArgumentError, match=r"'geometry' is not in degrees .*EPSG:3857.* geopandas"):
        to_table(tmp_path / "metres.parquet", SCHEMA)
    assert to_table(tmp_path / "unknown.parquet", SCHEMA).num_rows == 1


def test_files(tmp_path: Path) -> None:
    """3.7: a Parquet file, a GeoParquet file and a NetCDF file are read by their paths."""
    frame = gpd.GeoDataFrame(COLUMNS, geometry="geometry", crs=4326)
    dataset = netcdf_dataset()

    parquet = write(tmp_path, "points.parquet", lambda path: pq.write_table(TABLE, path))
    geoparquet = write(
        tmp_path, "geo.parquet", frame.drop(columns="time").assign(time=frame["time"].map(str)).to_parquet
    )
    netcdf = write(tmp_path, "points.nc", dataset.to_netcdf)

    assert to_table(parquet, SCHEMA).equals(TABLE)
    assert to_table(Path(geoparquet), SCHEMA).equals(TABLE)
    both = ["time", "geometry", "granule", "cloud_cover", "center", "bands"]
    assert to_table(netcdf, SCHEMA).select(both).equals(TABLE.select(both))


def test_one_found_datapoint() -> None:
    """3.7: what find returned, without the dimension time, is one row."""
    loaded = make_table(TABLE.slice(0, 1).to_pylist(), SCHEMA)

    assert to_table(to_datapoint(loaded, SCHEMA), SCHEMA).equals(TABLE.slice(0, 1))


@pytest.mark.parametrize("data", [[], {}, xr.Dataset(), pd.DataFrame(), TABLE.slice(2), {"time": []}])
def test_no_data(data: Any) -> None:
    """No rows in any form are an empty table of the right types."""
    assert to_table(data, SCHEMA).equals(TABLE.slice(2))


def test_another_dimension() -> None:
    """A dataset may call its rows otherwise, and hold variables in another order of dimensions."""
    dataset = netcdf_dataset().transpose("latlon", ...).swap_dims(time="scene").reset_coords("time")

    assert to_table(dataset, SCHEMA)["center"].to_pylist() == [[41.0, 11.0], None]


@given(rows())
def test_round_trip(values: list[dict[str, Any]]) -> None:
    """3.7: a loaded dataset ingests unchanged: the same values as they load, and the same ids."""
    table = make_table(values)
    loaded = to_xarray(table, EVERY_TYPE)

    again = to_table(loaded, EVERY_TYPE)

    assert again.schema == table_schema(EVERY_TYPE, with_ids=False)
    assert datapoint_ids(again, b"x").equals(datapoint_ids(table, b"x"))
    copied = to_xarray(make_table(again.to_pylist()), EVERY_TYPE)
    data_names = set(loaded.data_vars) - {field.name for field in ARRAYS}
    for name in data_names:
        np.testing.assert_equal(copied[name].values, loaded[name].values)


@given(rows())
def test_canonical_tables_and_records_stay_as_they_are(values: list[dict[str, Any]]) -> None:
    """A canonical table comes out as it went in; so do its rows as records, texts of JSON aside."""
    table = make_table(values).drop_columns(["id", "ingestion_time"])

    assert to_table(table, EVERY_TYPE).equals(table)
    plain = table.drop_columns(["one_json", "all_json"])
    records = plain.to_pylist()
    assert to_table(records, EVERY_TYPE).select(plain.column_names).equals(plain)
