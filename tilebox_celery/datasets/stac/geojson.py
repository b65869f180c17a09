"""Features of a GeoJSON FeatureCollection that are no STAC items, as the Arrow table of a schema."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.incoming_sources import IGNORED
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.stac.inference import PropertyKinds
from tilebox_celery.datasets.stac.names import keys_of_field
from tilebox_celery.datasets.stac.products import Item
from tilebox_celery.datasets.stac.sources import ItemSource, read_items
from tilebox_celery.datasets.stac.table import check_items, items_to_table
from tilebox_celery.errors import ArgumentError

_TIME_KEYS = ("datetime", "time", "timestamp", "date", "start_datetime", "startTime")


def geojson_to_table(source: ItemSource, schema: Schema, *, time: str | None = None) -> pa.Table:
    """Return a table with `time` and the fields of a schema, one row for each feature.

    A field takes the property of its name; `geometry` takes the feature's geometry, and a field `properties` all that
    has no field of its own.

    Args:
        source: A FeatureCollection, a list of features, or a path to a file of them.
        schema: Of the dataset.
        time: The property that holds the time; by default the first feature's first of datetime, time, timestamp, date,
            start_datetime and startTime that is no field of the schema.

    Raises:
        ArgumentError: A feature cannot be used, or has a property that no field takes; it names the feature's number,
            the property, and why.

    Example:
        >>> feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [7.5, 51]},
        ...            "properties": {"date": "2024-08-01", "height": 12}}
        >>> schema = Schema(DatasetKind.TEMPORAL, (Field("height", FieldType.INT32),))
        >>> geojson_to_table([feature], schema).to_pylist()
        [{'time': datetime.datetime(2024, 8, 1, 0, 0), 'height': 12}]
    """
    tables, number = [], 0
    for features in _read_features(source):
        time = time or _time_key(features[0], schema.by_name)
        _refuse_unknown(features, schema, time, number)
        tables.append(items_to_table(features, schema, first_number=number, time_keys=(time,), is_stac=False))
        number += len(features)
    return pa.concat_tables(tables) if tables else table_schema(schema, with_ids=False).empty_table()


def infer_geojson_schema(source: ItemSource, *, time: str | None = None) -> Schema:
    """Return a schema with a field for each property of these features, beside the geometry.

    Args:
        source: As for `geojson_to_table`.
        time: The property that holds the time, as for `geojson_to_table`.

    Raises:
        ArgumentError: There is no feature, or one of them is none.
    """
    kinds = PropertyKinds()
    for feature in chain.from_iterable(_read_features(source)):
        time = time or _time_key(feature, ())
        kinds.add(feature["properties"])
    if time is None:
        raise ArgumentError("The source holds no feature, so that no schema can be inferred from it: pass a schema.")
    kinds.drop(time)
    geometry = Field("geometry", FieldType.GEOMETRY, description="The geometry of the feature, in degrees.")
    return Schema(DatasetKind.SPATIOTEMPORAL, (geometry, *kinds.fields()))


def _read_features(source: ItemSource) -> Iterator[list[Item]]:
    number = 0
    for features in read_items(source):
        numbered = [_with_id(feature, number + position) for position, feature in enumerate(features)]
        check_items(numbered, number)
        yield numbered
        number += len(features)


def _with_id(feature: Any, number: int) -> Any:
    """Return the feature with text for an id, which GeoJSON leaves free; errors name it."""
    if not isinstance(feature, dict):
        return feature
    return {**feature, "id": str(feature.get("id", number)), "properties": feature.get("properties") or {}}


def _refuse_unknown(features: list[Item], schema: Schema, time: str, first_number: int) -> None:
    """Refuse a property that would be lost; one without any value is ignored, as in tables."""
    if "properties" in schema.by_name:
        return
    taken = {time, "time", *IGNORED}.union(*(keys_of_field(name, _names(features)) for name in schema.by_name))
    for position, feature in enumerate(features):
        for name, value in feature["properties"].items():
            if name not in taken and value is not None:
                known = ", ".join(field.name for field in schema.fields) or "none"
                raise ArgumentError(
                    f"Item {first_number + position} ({feature['id']!r}) has the property {name!r}, of which the "
                    "dataset has no field: leave it out, add the field, or add a field 'properties' of type json that "
                    f"takes all others. Its fields: {known}."
                )


def _names(features: list[Item]) -> list[str]:
    return sorted(set().union(*({tuple(each["properties"]) for each in features})))


def _time_key(feature: Item, fields: Collection[str]) -> str:
    properties: Sequence[str] = feature["properties"]
    for key in _TIME_KEYS:
        if key in properties and key not in fields:
            return key
    names = ", ".join(sorted(properties)) or "none at all"
    raise ArgumentError(
        f"The features have no property that is known to hold their time (they have {names}): call it 'time'."
    )
