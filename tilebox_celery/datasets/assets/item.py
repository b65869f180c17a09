"""What a datapoint says for all its assets, from fields as they are loaded: padded, and with 0 for an absent number."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tilebox_celery.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr

_TEXTS = ("proj:code", "proj:wkt2")
_LISTS = ("proj:shape", "proj:transform", "proj:bbox")


def item_properties(datapoint: "xr.Dataset | Mapping[str, Any]") -> dict[str, Any]:
    """Return properties of STAC that hold for all assets of a datapoint; each is the field of its name.

    Raises:
        ArgumentError: There are several datapoints.

    Example:
        >>> item_properties({"proj_epsg": np.int64(32735), "proj_shape": np.array([0, 0])})
        {'proj:epsg': 32735}
    """
    found = {key: value_of(datapoint, key.replace(":", "_")) for key in ("proj:epsg", "gsd")}
    found |= {key: value_of(datapoint, key.replace(":", "_")) for key in (*_TEXTS, "proj:projjson")}
    found |= {key: _without_padding(value_of(datapoint, key.replace(":", "_"))) for key in _LISTS}
    return {key: value for key, value in found.items() if value is not None and value not in ("", [], 0)}


def value_of(datapoint: "xr.Dataset | Mapping[str, Any]", name: str) -> Any:
    """Return one field as a plain value, a list for an array, None where it is absent.

    Raises:
        ArgumentError: There are several datapoints.
    """
    sizes = getattr(datapoint, "sizes", {})
    if sizes.get("time", 1) != 1:
        raise ArgumentError(f"There are {sizes['time']} datapoints instead of one: take data.isel(time=0) or another.")
    if not isinstance(datapoint, Mapping):
        raise ArgumentError(f"A datapoint is an xarray.Dataset or a mapping, not {type(datapoint).__name__}.")
    if name not in datapoint:
        return None
    value = datapoint[name]
    if "time" in getattr(value, "dims", ()):
        value = value.isel(time=0)
    value = getattr(value, "values", value) if hasattr(value, "dims") else value
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124  # NaN


def _without_padding(value: Any) -> list[Any] | None:
    """Return a list without what is absent at its end; a shape that is nothing but zeros is absent."""
    if not isinstance(value, list) or not any(value):
        return None
    while value and value[-1] != value[-1]:  # NaN
        value = value[:-1]
    return value or None
