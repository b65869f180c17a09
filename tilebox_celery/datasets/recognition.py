"""Find out whether data that a person handed over are STAC items, GeoJSON features, or rows and columns."""

import os
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

JSON_ENDINGS = (".json", ".geojson", ".ndjson", ".jsonl")
_SEVERAL = ("FeatureCollection", "ItemCollection", "Catalog", "Collection")


class Form(Enum):
    """What kind of reader some data need."""

    STAC = "STAC items"
    GEOJSON = "GeoJSON features"
    ROWS = "rows and columns"


def recognise(data: Any) -> tuple[Form, Any]:
    """Return the form of some data, and the data: an iterator as a list, since one had to look at its first item.

    Example:
        >>> recognise([{"type": "Feature", "id": "a", "stac_version": "1.0.0"}])[0]
        <Form.STAC: 'STAC items'>
        >>> recognise([{"time": "2024-08-01", "cloud_cover": 12.0}])[0]
        <Form.ROWS: 'rows and columns'>
    """
    if isinstance(data, str | os.PathLike):
        form = _form_of_place(os.fspath(data))
        return form, _records(data) if form is Form.ROWS and _is_json(os.fspath(data)) else data
    if isinstance(data, Iterator) and not hasattr(data, "__arrow_c_stream__"):
        data = list(data)
    return _form_of_value(data), data


def _form_of_value(data: Any) -> Form:
    if hasattr(data, "items_as_dicts") or (hasattr(data, "to_dict") and type(data).__module__.startswith("pystac")):
        return Form.STAC
    if isinstance(data, Mapping):
        if data.get("type") in _SEVERAL and not isinstance(data["type"], list):
            features = data.get("features")
            return _form_of_feature(features[0]) if features and isinstance(features, list) else Form.STAC
        return _form_of_feature(data) if data.get("type") == "Feature" else Form.ROWS
    if isinstance(data, Sequence) and not isinstance(data, str | bytes) and len(data) > 0:
        first = data[0]
        if isinstance(first, Mapping):
            return _form_of_feature(first) if first.get("type") == "Feature" else Form.ROWS
        return _form_of_value(first)
    return Form.ROWS


def _form_of_feature(feature: Any) -> Form:
    return Form.STAC if isinstance(feature, Mapping) and {"stac_version", "assets"} & feature.keys() else Form.GEOJSON


def _is_json(place: str) -> bool:
    return Path(place).suffix.lower() in JSON_ENDINGS


def _records(place: Any) -> list[Any]:
    """Return the rows of a JSON file of a list, or of one row a line."""
    from itertools import chain

    from tilebox_celery.datasets.stac import read_items

    return list(chain.from_iterable(read_items(place)))


def _form_of_place(place: str) -> Form:
    if place.lower().startswith(("http://", "https://")):
        return Form.STAC
    if Path(place).suffix.lower() == ".parquet":
        return _form_of_parquet(Path(place))
    if not _is_json(place):
        return Form.ROWS
    from tilebox_celery.datasets.stac import read_items

    first: list[Any] = next(read_items(place, chunk_items=1), [])
    if first and isinstance(first[0], Mapping) and "time" in first[0] and "properties" not in first[0]:
        return Form.ROWS
    return _form_of_feature(first[0]) if first else Form.STAC


def _form_of_parquet(path: Path) -> Form:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
    except (OSError, pa.ArrowInvalid):
        return Form.ROWS  # whose reader says what is wrong with it
    return Form.STAC if "assets" in names and {"stac_version", "links"} & set(names) else Form.ROWS
