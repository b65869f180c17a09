"""STAC items in a stac-geoparquet file, whose columns are the properties of all of them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from tilebox_celery.datasets.json_text import loads
from tilebox_celery.datasets.stac.products import Item
from tilebox_celery.errors import ArgumentError

_BATCH_ITEMS = 1000
_TOP_LEVEL = frozenset(
    {"type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection"}
)
_NEEDED = ("id", "geometry")


def read_geoparquet(path: Path) -> Iterator[Item]:
    """Yield the items of a stac-geoparquet file as they were in JSON.

    Raises:
        ArgumentError: It is no Parquet, or lacks what every item has.
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise ArgumentError(f"{path} is no Parquet file: {error}.") from error
    with file:
        missing = [name for name in _NEEDED if name not in file.schema_arrow.names]
        if missing:
            raise ArgumentError(f"{path} is no stac-geoparquet: it has no column {missing[0]!r}.")
        for batch in file.iter_batches(_BATCH_ITEMS):
            yield from _items(batch)


def _items(batch: pa.RecordBatch) -> Iterator[Item]:
    position = batch.schema.get_field_index("geometry")
    wkb = batch.column(position)
    wkb = wkb.storage if isinstance(wkb, pa.ExtensionArray) else wkb
    geometries = shapely.to_geojson(shapely.from_wkb(wkb.to_numpy(zero_copy_only=False)))
    for row, geometry in zip(batch.drop_columns(["geometry"]).to_pylist(), geometries, strict=True):
        item: Item = {"type": "Feature", "geometry": None if geometry is None else loads(geometry), "properties": {}}
        for key, value in row.items():
            if key == "properties" and isinstance(value, dict):
                item["properties"].update(_without_nulls(value))
            elif value is not None:
                (item if key in _TOP_LEVEL else item["properties"])[key] = _without_nulls(value)
        if isinstance(item.get("bbox"), dict):
            item["bbox"] = list(item["bbox"].values())
        yield item


def _without_nulls(value: Any) -> Any:
    """Return a value as JSON had it: a struct has every key that any item has, and times were text."""
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value
