"""Loaded datapoints as rows of plain values, for files and programs that know neither xarray nor shapely."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def to_frame(data: "xr.Dataset") -> "pd.DataFrame":
    """Return a row for each datapoint; vectors and lists stay arrays, padded as they were loaded.

    Example:
        >>> import xarray as xr
        >>> to_frame(xr.Dataset({"bands": (("time", "n_bands"), [[1, 2]])})).to_dict("records")
        [{'bands': array([1, 2])}]
    """
    import pandas as pd

    if "time" not in data.sizes:
        return pd.DataFrame()
    columns: dict[str, Any] = {}
    for name, variable in data.variables.items():
        if variable.dims[:1] == ("time",):
            values = variable.to_numpy()
            columns[str(name)] = values if values.ndim == 1 else list(values)
    return pd.DataFrame(columns)


def plain_value(value: Any) -> Any:
    """Return a value that JSON can hold: geometries as WKT, times as ISO 8601, bytes as hexadecimal digits, no NaN.

    Example:
        >>> plain_value(np.array([1.5, np.nan])), plain_value(b"\\x01"), plain_value(np.bool_(True))
        ([1.5, None], '01', True)
    """
    if isinstance(value, np.ndarray):
        return [plain_value(each) for each in value]
    if hasattr(value, "wkt"):
        return value.wkt
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # noqa: PLR0124 (NaT is not itself)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Mapping):  # JSON as it was loaded
        value = dict(value)
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
