"""Take incoming data apart into columns, whichever form it comes in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from tilebox_celery.datasets.geoparquet_crs import check_degrees
from tilebox_celery.datasets.incoming_columns import Column
from tilebox_celery.datasets.incoming_place import shown
from tilebox_celery.datasets.incoming_xarray import dataset_columns, open_netcdf
from tilebox_celery.datasets.schema import FieldType
from tilebox_celery.errors import ArgumentError

IGNORED = frozenset({"id", "ingestion_time"})
"""What a loaded dataset has and nobody can set: both are made anew."""
_WGS84 = 4326
_FORMS = (
    "pass records (dicts), a dict of columns, a DataFrame, an xarray.Dataset, an Arrow table, STAC items, GeoJSON, or "
    "the path of a .nc, .parquet, .json, .ndjson or .geojson file"
)


@dataclass(frozen=True)
class Columns:
    """Incoming data as columns of equal length.

    Args:
        values: By the name of the field, `time` among them unless there is no row.
        types: Of fields whose dimensions tell it, as those of a loaded dataset do.
    """

    values: dict[str, Column]
    types: dict[str, FieldType] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.values.values()), ()))


def read_columns(data: Any) -> Columns:
    """Return the columns of data in any form, without ids.

    Raises:
        ArgumentError: It is in no known form, its columns differ in length, or it has no `time`.

    Example:
        >>> list(read_columns([{"time": 0, "orbit": 7}, {"time": 1}]).values)
        ['time', 'orbit']
    """
    columns = _read_path(Path(data)) if isinstance(data, str | Path) else _take_apart(data)
    kept = {name: values for name, values in columns.values.items() if name not in IGNORED}
    lengths = {name: len(values) for name, values in kept.items()}
    if lengths and "time" not in kept:
        raise ArgumentError(f"The data has no 'time', which every datapoint needs; it has {', '.join(sorted(kept))}.")
    for name, length in lengths.items():
        if length != lengths["time"]:
            raise ArgumentError(f"The column {name!r} has {length} values, but 'time' has {lengths['time']}.")
    return Columns(kept, columns.types)


def _read_path(path: Path) -> Columns:
    if not path.exists():
        raise ArgumentError(f"There is no file {str(path)!r}: {_FORMS}.")
    if path.is_dir():
        raise ArgumentError(f"{str(path)!r} is a folder, not a file: {_FORMS}.")
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".geoparquet", ".pq"):
        try:
            return _take_apart(pq.read_table(path))
        except pa.ArrowInvalid as error:
            raise ArgumentError(f"The file {str(path)!r} is no Parquet file: {error}") from error
    if suffix in (".nc", ".nc4", ".cdf", ".netcdf"):
        return Columns(*dataset_columns(open_netcdf(path)))
    reader = "pandas.read_csv" if suffix in (".csv", ".tsv", ".txt") else "geopandas.read_file, or another reader,"
    raise ArgumentError(
        f"The file {str(path)!r} is none of .nc, .parquet, .json, .ndjson and .geojson by its name: "
        f"read it by {reader} and pass the frame."
    )


def _take_apart(data: Any) -> Columns:
    if isinstance(data, xr.Dataset):
        return Columns(*dataset_columns(data))
    table = _arrow_table(data)
    if table is not None:
        _refuse_repeated(table.column_names)
        check_degrees(table.schema)
        return Columns({name: _one_chunk(table.column(name)) for name in table.column_names})
    if isinstance(data, pd.DataFrame):
        return Columns(_frame_columns(data))
    if isinstance(data, Mapping):
        return Columns({str(name): _sequence(name, values) for name, values in data.items()})
    if isinstance(data, Iterable) and not isinstance(data, str | bytes | np.ndarray | xr.DataArray):
        return Columns(_record_columns(data))
    raise ArgumentError(f"Cannot read datapoints from {shown(data)} ({type(data).__name__}): {_FORMS}.")


def _arrow_table(data: Any) -> pa.Table | None:
    """Return the table of whatever speaks Arrow: its own tables and readers, those of polars, DuckDB and others."""
    if isinstance(data, pa.Table | pa.RecordBatch):
        return data if isinstance(data, pa.Table) else pa.Table.from_batches([data])
    if isinstance(data, pd.DataFrame) or not hasattr(data, "__arrow_c_stream__"):
        return None
    try:
        return pa.table(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ArgumentError(f"Cannot read datapoints from a {type(data).__name__}: {error}: {_FORMS}.") from error


def _refuse_repeated(names: Sequence[str]) -> None:
    for name in names if len(set(names)) < len(names) else ():
        if (count := names.count(name)) > 1:
            raise ArgumentError(f"The column {name!r} is there {count} times: keep one of them.")


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _frame_columns(frame: Any) -> dict[str, Column]:
    """Return the columns of a frame; its index is one of them if it is named `time`."""
    if "time" not in frame.columns and "time" in frame.index.names:
        frame = frame.reset_index("time")
    # A GeoDataFrame has such a name; its package is optional.
    if isinstance(getattr(frame, "active_geometry_name", None), str) and "geometry" not in frame.columns:
        frame = frame.rename_geometry("geometry")
    _refuse_repeated(list(map(str, frame.columns)))
    return {str(name): _series(frame[name]) for name in frame.columns}


def _series(series: Any) -> Column:
    if str(series.dtype) == "geometry":  # of geopandas
        crs = series.array.crs
        return list(series.array if crs is None or crs.to_epsg() == _WGS84 else series.array.to_crs(_WGS84))
    if series.dtype == object:
        return list(series.array)
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError):
        return list(series.array)
    return _one_chunk(array) if isinstance(array, pa.ChunkedArray) else array


def _sequence(name: Any, values: Any) -> Column:
    if isinstance(values, pa.ChunkedArray | pa.Array):
        return _one_chunk(pa.chunked_array(values))
    if isinstance(values, pd.Series | pd.Index):
        return _series(values.to_series() if isinstance(values, pd.Index) else values)
    if isinstance(values, xr.DataArray):
        values = values.values
    if isinstance(values, np.ndarray) and values.ndim:
        return values if values.dtype != object or values.ndim > 1 else list(values)
    if isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping | np.ndarray):
        return list(values)
    raise ArgumentError(
        f"The column {str(name)!r} is {shown(values)} ({type(values).__name__}), not a list of values: to ingest a "
        "single record, wrap it in a list."
    )


def _record_columns(records: Iterable[Any]) -> dict[str, Column]:
    """Return the columns of records; what one of them lacks is None."""
    rows = list(records)
    names: dict[str, None] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ArgumentError(f"Row {number} is {shown(row)} ({type(row).__name__}), not a record: {_FORMS}.")
        names.update(dict.fromkeys(row))
    if rows and "time" not in names:
        names["time"] = None  # refused with its row, as one missing time is
    return {name: [row.get(name) for row in rows] for name in names}
