"""Datapoints as a table that fits the terminal: times and ids whole, then as many fields as there is room."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tilebox_celery.datasets.schema import FieldType, Schema

if TYPE_CHECKING:
    import pandas as pd

_FIELDS = 5
_LONG = (FieldType.GEOMETRY, FieldType.JSON, FieldType.BYTES)
"""Types whose values fill a terminal."""
_GAP = 2
_WIDEST = 40
_NARROWEST = 8
"""Characters of its values that the last column shows at least."""


def shown_rows(
    frame: "pd.DataFrame", schema: Schema, where: Sequence[str], width: int
) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns, and the texts of their values.

    Args:
        frame: The datapoints to show.
        schema: Of their dataset.
        where: The conditions: their fields come first.
        width: Characters of a line.
    """
    asked = [match[1] for text in where if (match := re.match(r"\s*(\w+)", text))]
    fields = [each.name for each in schema.fields if each.type not in _LONG and each.name in frame.columns]
    fields.sort(key=lambda name: name not in asked)
    texts = {name: [_text(value) for value in frame[name]] for name in ["time", "id", *fields]}
    columns = ["time", "id"]
    left = width - sum(_width(name, texts[name]) + _GAP for name in columns)
    for name in fields:
        needed = _width(name, texts[name])
        if len(columns) == 2 + _FIELDS or left < min(needed, max(len(name), _NARROWEST)):
            break
        if any(texts[name]):
            columns.append(name)
            left -= needed + _GAP
    return columns, [list(row) for row in zip(*(texts[name] for name in columns), strict=True)]


def _width(name: str, texts: Sequence[str]) -> int:
    return min(max(len(name), *map(len, texts)), _WIDEST)


def _text(value: Any) -> str:
    from tilebox_celery.datasets.frames import plain_value

    plain = plain_value(value)
    if plain is None:
        return ""
    # A time is one of milliseconds here, whatever pandas makes of it.
    return re.sub(r"(T\d\d:\d\d:\d\d\.\d{3})0+$", r"\1", plain) if isinstance(plain, str) else str(plain)
