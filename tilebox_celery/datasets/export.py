"""Write loaded datapoints to a file that other programs read: NetCDF, GeoParquet, CSV or GeoJSON."""

import json
import os
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tilebox_celery.datasets.frames import plain_value, to_frame
from tilebox_celery.datasets.json_object import plain_json
from tilebox_celery.datasets.netcdf_texts import TEXT_FORM, TEXT_FORMS
from tilebox_celery.datasets.schema import FieldType, Schema
from tilebox_celery.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr


def write(data: "xr.Dataset", schema: Schema, file: Path) -> None:
    """Write datapoints to a file, which is there whole or not at all.

    NetCDF and CSV hold geometries as WKT, and CSV lists as JSON; NetCDF holds a missing text as an empty one. Parquet
    is GeoParquet. In GeoJSON each datapoint is a feature with its first geometry, and bytes are base64. `ingest` reads
    all but CSV again.

    Args:
        data: What `load` or `query` gave.
        schema: Of its dataset.
        file: Ends with .nc, .parquet, .csv or .geojson.

    Raises:
        ArgumentError: The ending says none of these, or the file cannot be written.
    """
    writer = _WRITERS[check_ending(file)]
    part = file.with_name(f".{file.name}.part-{os.getpid()}{file.suffix}")
    try:
        writer(data, schema, part)
        part.replace(file)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ArgumentError(f"{file} cannot be written: {reason}.") from error
    finally:
        part.unlink(missing_ok=True)


def check_ending(file: Path) -> str:
    """Return the ending of a file that can be written.

    Raises:
        ArgumentError: It is none of those known.
    """
    ending = file.suffix.lower()
    if ending not in _WRITERS:
        raise ArgumentError(f"{file} cannot be written: its name must end with one of {', '.join(_WRITERS)}.")
    return ending


def to_netcdf_ready(data: "xr.Dataset", schema: Schema) -> "xr.Dataset":
    """Return the same datapoints with values that NetCDF can hold: geometries as WKT, JSON as text, no None.

    The attribute `TEXT_FORM` of such a variable says so to those who read it.
    """
    import shapely

    ready = data.copy()
    for field in schema.fields:
        if field.name not in ready:
            continue
        variable = ready[field.name]
        if field.type is FieldType.GEOMETRY:
            text = shapely.to_wkt(variable.to_numpy(), rounding_precision=-1)
            ready[field.name] = variable.copy(data=_without_none(np.asarray(text, dtype=object)))
        elif field.type is FieldType.JSON:
            texts = [
                None if each is None else json.dumps(each, default=plain_json) for each in variable.to_numpy().ravel()
            ]
            ready[field.name] = variable.copy(data=_without_none(np.array(texts, dtype=object).reshape(variable.shape)))
        elif field.type is FieldType.BYTES:
            ready[field.name] = variable.copy(data=_without_none(_hexadecimal(variable.to_numpy())))
        elif variable.dtype == object:
            ready[field.name] = variable.copy(data=_without_none(variable.to_numpy()))
        if field.type in TEXT_FORMS:
            ready[field.name].attrs[TEXT_FORM] = TEXT_FORMS[field.type]
    return ready


def _without_none(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    return np.where([each is None for each in values.ravel()], "", values.ravel()).astype(object).reshape(values.shape)


def _hexadecimal(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    found = [None if each is None else each.hex() for each in values.ravel()]
    return np.array(found, dtype=object).reshape(values.shape)


def _write_netcdf(data: "xr.Dataset", schema: Schema, file: Path) -> None:
    # In memory first: on a full disk HDF5 keeps the file open, tries again when Python ends, and kills the process.
    file.write_bytes(to_netcdf_ready(data, schema).to_netcdf(engine="h5netcdf"))


def _write_parquet(data: "xr.Dataset", schema: Schema, file: Path) -> None:
    import pyarrow.parquet as pq

    from tilebox_celery.datasets.incoming import to_table

    table = to_table(data, schema)
    geometries = [each.name for each in schema.fields if each.type is FieldType.GEOMETRY and not each.is_array]
    if geometries:
        columns = {name: {"encoding": "WKB", "geometry_types": []} for name in geometries}
        geo = {"version": "1.1.0", "primary_column": geometries[0], "columns": columns}
        table = table.replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(table, file, compression="zstd")


def _write_csv(data: "xr.Dataset", schema: Schema, file: Path) -> None:
    frame = to_frame(to_netcdf_ready(data, schema))
    inner = [name for name, variable in data.data_vars.items() if variable.ndim > 1]
    exact = to_frame(data[inner])
    for name in inner:
        frame[name] = [None if each is None else json.dumps(plain_value(each)) for each in exact[name]]
    frame.to_csv(file, index=False)


def _write_geojson(data: "xr.Dataset", schema: Schema, file: Path) -> None:
    import shapely

    name = next((each.name for each in schema.fields if each.type is FieldType.GEOMETRY and not each.is_array), None)
    if name is None:
        raise ArgumentError("GeoJSON needs a geometry, and this dataset has none: use .parquet, .nc or .csv.")
    geometries: Sequence[Any] = list(data[name].to_numpy()) if name in data else []
    frame = to_frame(data.drop_vars(name, errors="ignore"))
    with file.open("w", encoding="utf-8") as stream:
        stream.write('{"type": "FeatureCollection", "features": [')
        for number, (row, geometry) in enumerate(zip(frame.to_dict("records"), geometries, strict=True)):
            feature = {
                "type": "Feature",
                "id": row["id"],
                "geometry": None if geometry is None else json.loads(shapely.to_geojson(geometry)),
                "properties": {str(key): _geojson_value(value) for key, value in row.items()},
            }
            stream.write((",\n" if number else "\n") + json.dumps(feature, allow_nan=False))
        stream.write("\n]}\n")


def _geojson_value(value: Any) -> Any:
    """Return a property as those are who read GeoJSON expect it."""
    import shapely

    if isinstance(value, np.ndarray):
        return [_geojson_value(each) for each in value]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return json.loads(shapely.to_geojson(value)) if isinstance(value, shapely.Geometry) else plain_value(value)


_WRITERS: dict[str, Callable[["xr.Dataset", Schema, Path], None]] = {
    ".nc": _write_netcdf,
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".geojson": _write_geojson,
}
