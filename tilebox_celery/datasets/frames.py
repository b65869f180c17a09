"""Loaded datapoints as rows of plain values, for files and programs that know neither xarray nor shapely."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def to_frame(data: "xr.Dataset") -> "pd.DataFrame":
    """Return a row for each datapoint; vectors and lists are arrays, lists without the padding of their dimension.

    Example:
        >>> import xarray as xr
        >>> to_frame(xr.Dataset({"bands": (("time", "n_bands"), [[1, 2], [1, 0]])}))["bands"].to_list()
        [array([1, 2]), array([1])]
    """
    import pandas as pd

    from tilebox_celery.datasets.incoming_xarray import ARRAY_DIMENSION, without_padding

    if "time" not in data.sizes:
        return pd.DataFrame()
    columns: dict[str, Any] = {}
    for name, variable in data.variables.items():
        if variable.dims[:1] == ("time",):
            values = variable.to_numpy()
            is_list = values.ndim > 1 and str(variable.dims[1]).startswith(ARRAY_DIMENSION)
            columns[str(name)] = values if values.ndim == 1 else without_padding(values) if is_list else list(values)
    return pd.DataFrame(columns)


def plain_value(value: Any) -> Any:
    """Return a value that JSON can hold.

    Geometries are WKT, times and durations ISO 8601, bytes hexadecimal digits; there is no NaN.

    Example:
        >>> plain_value(np.array([1.5, np.nan])), plain_value(b"\\x01"), plain_value(np.bool_(True))
        ([1.5, None], '01', True)
        >>> plain_value(np.timedelta64(-1500, "ms"))
        '-PT1.5S'
    """
    if isinstance(value, np.ndarray):
        return [plain_value(each) for each in value]
    if hasattr(value, "wkt"):
        return value.wkt
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, np.datetime64 | np.timedelta64) or hasattr(value, "isoformat") or isinstance(value, timedelta):
        return _time(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, Mapping):  # JSON as it was loaded
        value = dict(value)
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)


def _time(value: Any) -> str | None:
    if value != value:  # noqa: PLR0124 (NaT is not itself)
        return None
    if isinstance(value, np.datetime64):
        return str(np.datetime_as_string(value))
    return _duration(value) if isinstance(value, np.timedelta64 | timedelta) else str(value.isoformat())


def _duration(value: "np.timedelta64 | timedelta") -> str:
    """Return a duration with all its nanoseconds, such as ``-PT1.5S``."""
    import pandas as pd

    nanoseconds = int(pd.Timedelta(value).as_unit("ns").value)
    seconds, rest = divmod(abs(nanoseconds), 1_000_000_000)
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{'-' if nanoseconds < 0 else ''}PT{seconds}{fraction}S"
