"""What NetCDF cannot hold is text there, and an attribute of the variable says of what form: so it is read again."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
import xarray as xr

from tilebox_celery.datasets.schema import FieldType

TEXT_FORM = "text_form"
"""The attribute."""
TEXT_FORMS = {FieldType.GEOMETRY: "WKT", FieldType.JSON: "JSON", FieldType.BYTES: "hexadecimal"}
_READERS: dict[str, Callable[[str], Any]] = {
    TEXT_FORMS[FieldType.GEOMETRY]: shapely.from_wkt,
    TEXT_FORMS[FieldType.JSON]: json.loads,
    TEXT_FORMS[FieldType.BYTES]: bytes.fromhex,
}


def texts_read(variable: xr.DataArray) -> xr.DataArray:
    """Return a variable of texts with the values that they stand for; an empty text is an absent value.

    Raises:
        ValueError: A text is not of the form that the variable names.

    Example:
        >>> texts_read(xr.DataArray(["[1]", ""], dims="time", attrs={TEXT_FORM: "JSON"})).to_numpy().tolist()
        [[1], None]
    """
    read = _READERS.get(str(variable.attrs.get(TEXT_FORM)), str)
    values = np.empty(variable.shape, dtype=object)
    flat = values.reshape(-1)
    for place, text in enumerate(variable.to_numpy().reshape(-1).tolist()):
        flat[place] = read(text) if text else None
    return variable.copy(data=values)
