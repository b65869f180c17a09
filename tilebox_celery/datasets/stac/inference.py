"""The schema that holds all of some STAC items: each property a field of the narrowest type that takes every value."""

import re
from collections.abc import Iterable
from functools import reduce
from typing import Any, TypeAlias

from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.stac.names import field_names, keys_of_field
from tilebox_celery.datasets.stac.products import Item
from tilebox_celery.datasets.stac.table import check_items
from tilebox_celery.errors import ArgumentError

_LOOKS_LIKE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)")
Kind: TypeAlias = tuple[FieldType | None, bool]
"""Type, and whether it is that of the elements of lists; no type is that of lists which were all empty."""
_BEFORE = (
    Field("stac_id", FieldType.STRING, description="The id of the STAC item."),
    Field("granule_name", FieldType.STRING, description="The product's name by its provider."),
    Field("stac_collection", FieldType.STRING, description="The STAC collection of the item."),
    Field("geometry", FieldType.GEOMETRY, description="The footprint, in degrees."),
)
_ASSETS = Field(
    "assets",
    FieldType.JSON,
    queryable=False,
    description="Every file of the product by name: its href, bands, nodata and projection.",
)


def infer_schema(items: Iterable[Item]) -> Schema:
    """Return a schema with a field for each property of these items, beside id, product name, geometry and assets.

    Args:
        items: One or more; those of several chunks may be chained.

    Raises:
        ArgumentError: There is no item, or one is no STAC item.

    Example:
        >>> item = {"type": "Feature", "id": "a", "geometry": None, "assets": {},
        ...         "properties": {"datetime": "2024-08-01T00:26:11Z", "eo:cloud_cover": 2.5, "eo:bands_used": [1, 2]}}
        >>> [(field.name, str(field.type), field.is_array) for field in infer_schema([item]).fields[4:6]]
        [('cloud_cover', 'double', False), ('bands_used', 'int64', True)]
    """
    kinds = PropertyKinds()
    number = 0
    for number, item in enumerate(items, start=1):
        check_items([item], number - 1)
        kinds.add(item["properties"])
    if not number:
        raise ArgumentError("The source holds no STAC item, so that no schema can be inferred from it: pass a schema.")
    kinds.drop("datetime")
    if "proj:code" in kinds.types and "proj:epsg" not in kinds.types:  # `proj_epsg` is read from the code
        kinds.types["proj:epsg"] = (FieldType.INT64, False)
    return Schema(DatasetKind.SPATIOTEMPORAL, (*_BEFORE, *kinds.fields(), _ASSETS))


class PropertyKinds:
    """The types that hold what was seen of each property."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.types: dict[str, Kind | None] = {}

    def add(self, properties: dict[str, Any]) -> None:
        """Widen the type of each property by its value here."""
        for key, value in properties.items():
            kind = _kind(value)
            known = self.types.setdefault(key, kind)
            if kind is not None and kind != known:
                self.types[key] = kind if known is None else _common(known, kind)

    def drop(self, key: str) -> None:
        """Forget a property that becomes `time`."""
        self.types.pop(key, None)

    def fields(self) -> list[Field]:
        """Return a field for each property that has a value anywhere, in the order in which they were seen."""
        kinds = {key: kind for key, kind in self.types.items() if kind is not None}
        fields = []
        for key, name in field_names(kinds).items():
            # A field must take any property that may fill it, also if this one is absent.
            type_, is_array = reduce(_common, (kinds[each] for each in keys_of_field(name, kinds)))
            is_queryable = type_ is not FieldType.JSON and not is_array
            fields.append(Field(name, type_ or FieldType.STRING, is_array, is_queryable, description=key))
        return fields


def _kind(value: Any) -> Kind | None:
    if value is None:
        return None
    if value == []:
        return None, True
    if not isinstance(value, list | tuple):
        return _scalar(value), False
    kinds = {_scalar(each) for each in value}
    if kinds == {FieldType.INT64, FieldType.DOUBLE}:
        return FieldType.DOUBLE, True
    return (FieldType.JSON, False) if len(kinds) > 1 or FieldType.JSON in kinds else (kinds.pop(), True)


def _scalar(value: Any) -> FieldType:
    match value:
        case bool():
            return FieldType.BOOL
        case int():
            return FieldType.INT64 if -(2**63) <= value < 2**63 else FieldType.UINT64
        case float():
            return FieldType.DOUBLE
        case str():
            return FieldType.TIMESTAMP if _LOOKS_LIKE_TIME.fullmatch(value) else FieldType.STRING
    return FieldType.TIMESTAMP if hasattr(value, "astimezone") else FieldType.JSON


def _common(one: Kind, other: Kind) -> Kind:
    if one == other:
        return one
    if one[1] and other[1] and None in {one[0], other[0]}:
        return one[0] or other[0], True
    if one[1] != other[1]:
        return FieldType.JSON, False
    types = {one[0], other[0]}
    if types <= {FieldType.INT64, FieldType.UINT64, FieldType.DOUBLE}:
        return FieldType.DOUBLE, one[1]
    texts = {FieldType.STRING, FieldType.TIMESTAMP, FieldType.INT64, FieldType.UINT64, FieldType.DOUBLE}
    return (FieldType.STRING, one[1]) if types <= texts else (FieldType.JSON, False)
