"""Take an xarray dataset apart into columns, so that a loaded one can be ingested again."""

from pathlib import Path
from typing import Any

import numpy as np
import shapely
import xarray as xr

from tilebox_celery.datasets.incoming_values import is_missing
from tilebox_celery.datasets.netcdf_texts import texts_read
from tilebox_celery.datasets.schema import VECTOR_DIMENSIONS, FieldType
from tilebox_celery.datasets.xarray_layout_values import ABSENT
from tilebox_celery.errors import ArgumentError

_VECTOR_TYPES = {dimension: field_type for field_type, (dimension, _) in VECTOR_DIMENSIONS.items()}
ARRAY_DIMENSION = "n_"
"""How the dimension of a list begins."""


def open_netcdf(path: Path) -> xr.Dataset:
    """Return the dataset in a NetCDF file, in memory; an empty text is absent, for so an absent one is written there.

    Raises:
        ArgumentError: It is none, or no package that reads it is installed.
    """
    try:
        with xr.open_dataset(path) as file:
            dataset = file.load()
    except (ValueError, OSError, ImportError) as error:
        raise ArgumentError(
            f"The file {str(path)!r} cannot be read as NetCDF: install h5netcdf and h5py, and check the file. "
            f"({str(error).splitlines()[0]})"
        ) from error
    texts = {name: each for name, each in dataset.data_vars.items() if each.dtype.kind in "OU"}
    try:
        return dataset.assign({name: texts_read(each) for name, each in texts.items()})
    except (ValueError, shapely.errors.ShapelyError) as error:
        raise ArgumentError(
            f"The file {str(path)!r} has texts that are not of the form that it names: {error}"
        ) from error


def dataset_columns(dataset: xr.Dataset) -> tuple[dict[str, Any], dict[str, FieldType]]:
    """Return the columns of a dataset, and the types of those whose inner dimension tells it.

    Without the dimension of `time` the dataset is one datapoint, as `find` returns it. Arrays along a dimension `n_...`
    lose what is absent at their ends.

    Raises:
        ArgumentError: There is no `time`, or a variable does not follow it.

    Example:
        >>> dataset_columns(xr.Dataset({"orbit": ("time", [7])}, {"time": [0]}))[0]["orbit"]
        array([7])
    """
    if not dataset.variables:
        return {}, {}
    if "time" not in dataset.variables or dataset["time"].ndim > 1:
        raise ArgumentError("The dataset has no variable 'time' with one instant for each datapoint.")
    if dataset["time"].ndim == 0:
        dataset = dataset.expand_dims("time")  # one datapoint has the layout of many
    rows = dataset["time"].dims[0]
    columns: dict[str, Any] = {"time": dataset["time"].values}
    types: dict[str, FieldType] = {}
    for name, variable in dataset.variables.items():
        if name == "time" or (name in dataset.coords and (rows not in variable.dims or name in dataset.dims)):
            continue
        if rows not in variable.dims:
            raise ArgumentError(f"The variable {name!r} has no dimension {rows!r}, so it holds no value per datapoint.")
        columns[str(name)] = _values(variable.transpose(rows, ...))
        if (inner := set(variable.dims) & set(_VECTOR_TYPES)) and variable.ndim == 2:
            types[str(name)] = _VECTOR_TYPES[str(inner.pop())]
    return columns, types


def _values(variable: xr.Variable) -> Any:
    values = variable.values
    if values.ndim == 1:
        return list(values) if values.dtype == object else values
    if values.ndim == 2 and str(variable.dims[1]).startswith(ARRAY_DIMENSION):
        return without_padding(values)
    return values if values.ndim == 2 and values.dtype != object else list(values)


def without_padding(values: np.ndarray) -> list[np.ndarray | None]:
    """Return the lists of all rows without what is absent at their ends; a row without anything is absent.

    Args:
        values: Of a variable along ``(time, n_field)``.
    """
    absent = ABSENT.get(values.dtype.kind, b"")
    if values.dtype.kind == "O":
        flat = [not is_missing(value) for value in values.reshape(-1)]  # xarray makes NaN of None in places
        is_present = np.array(flat, dtype=bool).reshape(values.shape)
    elif values.dtype.kind in "fmM":
        is_present = ~np.isnan(values)
    else:
        is_present = values != absent
    lengths = np.where(is_present.any(axis=1), values.shape[1] - is_present[:, ::-1].argmax(axis=1), 0)
    return [row[:length] if length else None for row, length in zip(values, lengths, strict=True)]
