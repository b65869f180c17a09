"""Datapoints of the shape of the documents' Sentinel-1 dataset: 28 fields, about 650 bytes each as xarray."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import shapely

from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema

if TYPE_CHECKING:
    import xarray as xr

FIRST_MS = 1_483_228_800_000
"""2017-01-01."""
SIX_YEARS_MS = 6 * 365 * 86_400_000
_TEXTS = ("granule_name", "location", "thumbnail")
_FEW = {
    "processing_level": ("L0", "L1", "L2"),
    "satellite": ("SENTINEL-1A", "SENTINEL-1B"),
    "flight_direction": ("ASCENDING", "DESCENDING"),
    "polarization": ("VV", "VV VH", "HH", "HH HV"),
    "acquisition_mode": ("IW", "EW", "SM", "WV"),
    "product_type": ("RAW", "SLC", "GRD", "OCN"),
    "instrument": ("SAR-C",),
}
_INTEGERS = ("orbit_number", "relative_orbit", "slice_number", "slices", "file_size", "datatake_id")
_DOUBLES = ("incidence_near", "incidence_far", "heading", "cloud_cover")
_TIMES = ("published", "start_time", "end_time")


def schema() -> Schema:
    """Return its fields."""
    kinds = (
        *((name, FieldType.STRING) for name in _TEXTS),
        *((name, FieldType.ENUM) for name in _FEW),
        *((name, FieldType.INT64) for name in _INTEGERS),
        *((name, FieldType.DOUBLE) for name in _DOUBLES),
        *((name, FieldType.TIMESTAMP) for name in _TIMES),
        ("length", FieldType.DURATION),
        ("copernicus_id", FieldType.UUID),
        ("online", FieldType.BOOL),
        ("center", FieldType.LATLON),
    )
    return Schema(DatasetKind.SPATIOTEMPORAL, tuple(Field(name, kind) for name, kind in kinds))


def incoming(rows: int, seed: int = 1) -> pa.Table:
    """Return datapoints without ids, over six years, in the order of time."""
    random = np.random.default_rng(seed)
    times = FIRST_MS + np.sort(random.integers(0, SIX_YEARS_MS, rows))
    west, south = random.uniform(-175, 170, rows), random.uniform(-80, 75, rows)
    corners = np.stack(
        [
            np.stack([west, south], 1), np.stack([west + 2.5, south + 0.3], 1),
            np.stack([west + 2.2, south + 2.0], 1), np.stack([west - 0.3, south + 1.7], 1),
            np.stack([west, south], 1),
        ],
        axis=1,
    )  # fmt: skip
    columns: dict[str, pa.Array] = {
        "time": pa.array(times, pa.timestamp("ms")),
        "geometry": pa.array(shapely.to_wkb(shapely.polygons(corners)), pa.binary()),
    }
    numbers = np.arange(rows)
    for name in _TEXTS:
        columns[name] = pa.array([f"S1A_IW_{name[:4].upper()}_{number:032d}" for number in numbers], pa.string())
    for name, values in _FEW.items():
        columns[name] = pa.array(np.array(values, dtype=object)[random.integers(0, len(values), rows)], pa.string())
    for name in _INTEGERS:
        columns[name] = pa.array(random.integers(1, 1 << 31, rows), pa.int64())
    for name in _DOUBLES:
        columns[name] = pa.array(random.uniform(0, 100, rows), pa.float64())
    for shift, name in enumerate(_TIMES):
        columns[name] = pa.array(times * 1_000_000 + shift * 1_000_000_007, pa.timestamp("ns"))
    columns["length"] = pa.array(random.integers(1, 1 << 40, rows), pa.duration("ns"))
    columns["copernicus_id"] = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), rows, [None, pa.py_buffer(random.bytes(16 * rows))]
    )
    columns["online"] = pa.array(random.integers(0, 2, rows).astype(bool))
    columns["center"] = pa.FixedSizeListArray.from_arrays(pa.array(np.stack([south, west], 1).ravel()), 2)
    expected = table_schema(schema(), with_ids=False)
    return pa.table([columns[name] for name in expected.names], schema=expected)


def bytes_of(data: "xr.Dataset") -> int:
    """Return the size of a load as xarray prints it."""
    return int(data.nbytes)
