"""STAC items as the Arrow table of a schema, without ids: what a field holds is found by its name."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.garbage import collector_paused
from tilebox_celery.datasets.schema import Field, FieldType, Schema
from tilebox_celery.datasets.stac.columns import column
from tilebox_celery.datasets.stac.geometries import centers, parse_geometries, to_wkb
from tilebox_celery.datasets.stac.names import keys_of_field
from tilebox_celery.datasets.stac.products import Item, epsg_code, product_folder, product_name, thumbnail
from tilebox_celery.datasets.stac.times import fast_nanoseconds, floor_to_milliseconds, time_nanoseconds
from tilebox_celery.datasets.stac.values import ValueRefused
from tilebox_celery.errors import ArgumentError

Facts = Mapping[str, Any]
"""Values of fields of one item that win over what its properties say."""


def items_to_table(
    items: Sequence[Item],
    schema: Schema,
    *,
    facts: Sequence[Facts] | None = None,
    first_number: int = 0,
    time_keys: Sequence[str] = ("datetime", "start_datetime"),
    is_stac: bool = True,
) -> pa.Table:
    """Return a table with `time` and the fields of a schema, one row for each item, in their order.

    `time` is the item's ``datetime``, or else its ``start_datetime``. The fields `stac_id`, `stac_collection`,
    `granule_name` (the product's own name), `geometry`, `assets` (every asset as it is: href, bands, nodata,
    projection), `properties` (json: the properties that fill no other field), `location` (the product's folder),
    `thumbnail`, `proj_epsg`, `proj_code` and `center` are found by their names; any other field takes the property of
    its name, with or without the prefix of an extension: `cloud_cover` takes ``eo:cloud_cover``. What an item does not
    have is null.

    Args:
        items: As `read_items` yields them.
        schema: Of the dataset.
        facts: For each item, values of fields by name that are not found by these rules.
        first_number: The number of the first item in its source, counted from 0, for errors.
        time_keys: Properties that may hold the time; of each item the first that it has is taken.
        is_stac: False for other features: but for `geometry`, and `properties` where none has one, no name means more
            than the property of this name.

    Raises:
        ArgumentError: An item cannot be used; it names the item's number and id, the property, and why.

    Example:
        >>> item = {"type": "Feature", "id": "a", "geometry": None, "assets": {},
        ...         "properties": {"datetime": "2024-08-01T00:26:11Z", "eo:cloud_cover": 2.5}}
        >>> from tilebox_celery.datasets.schema import DatasetKind
        >>> schema = Schema(DatasetKind.TEMPORAL, (Field("cloud_cover", FieldType.DOUBLE),))
        >>> items_to_table([item], schema).to_pylist()
        [{'time': datetime.datetime(2024, 8, 1, 0, 26, 11), 'cloud_cover': 2.5}]
    """
    with collector_paused():
        check_items(items, first_number)
        chunk = _Chunk(items, schema, facts, time_keys, is_stac)
        columns = [_named(chunk, time_keys[0], chunk.time, first_number)]
        columns += [_named(chunk, each.name, partial(chunk.column, each), first_number) for each in schema.fields]
        return pa.Table.from_arrays(columns, schema=table_schema(schema, with_ids=False))


def check_items(items: Sequence[Item], first_number: int = 0) -> None:
    """Refuse what is no STAC item before anything is read from it.

    Raises:
        ArgumentError: It names the item's number, its id if it has one, and what is the matter.
    """
    for position, item in enumerate(items):
        reason = _what_is_wrong(item)
        if reason:
            name = f" ({item['id']!r})" if isinstance(item, dict) and "id" in item else ""
            raise ArgumentError(f"Item {first_number + position}{name} {reason}.")


def _what_is_wrong(item: Any) -> str | None:
    if not isinstance(item, dict):
        return f"is {str(item)[:60]!r}, which is no STAC item"
    if item.get("type", "Feature") != "Feature":
        return f"has the type {item['type']!r}; a STAC item is a Feature"
    if not isinstance(item.get("id"), str) or not item["id"]:
        return "has no id, which must be text"
    if not isinstance(item.get("properties"), dict):
        return "has no properties, which must be an object with at least 'datetime'"
    if not isinstance(item.get("assets") or {}, dict):
        return "has assets that are no object"
    return None


def _named(chunk: "_Chunk", name: str, make: Callable[[], pa.Array], first_number: int) -> pa.Array:
    try:
        return make()
    except ValueRefused as refused:
        item = chunk.items[refused.position]
        of_field = chunk.origin(name, item)
        raise ArgumentError(
            f"Item {first_number + refused.position} ({item['id']!r}): {of_field} {refused.reason}; "
            "correct the item or leave it out."
        ) from None


_LAST_MS = (2**63 - 1) // 1_000_000


class _Chunk:
    """Some items, and the values of their fields."""

    def __init__(
        self,
        items: Sequence[Item],
        schema: Schema,
        facts: Sequence[Facts] | None,
        time_keys: Sequence[str],
        is_stac: bool,
    ) -> None:
        self.items = items
        self._time_keys = tuple(time_keys)
        self.properties: list[dict[str, Any]] = [item["properties"] for item in items]
        self._is_stac = is_stac
        self._facts = facts
        self._facts_keys = frozenset().union(*facts) if facts else frozenset()
        # One provider's items have the same keys, so that a set of tuples is small and made fast.
        kinds = {tuple(properties) for properties in self.properties}
        self._keys = sorted(set().union(*kinds))
        self._own_keys = {field.name: keys_of_field(field.name, self._keys) for field in schema.fields}

    def time(self) -> pa.Array:
        first, *others = self._time_keys
        values = [each.get(first) for each in self.properties]
        if None in values:
            values = [
                next((each[key] for key in self._time_keys if each.get(key) is not None), None)
                for each in self.properties
            ]
        if None in values:
            also = "".join(f", and so is {key!r}" for key in others)
            raise ValueRefused(values.index(None), f"is missing{also}")
        try:
            times = floor_to_milliseconds(fast_nanoseconds(values))
        except (pa.ArrowException, TypeError):
            times = pa.array([_milliseconds(at, value) for at, value in enumerate(values)]).cast(pa.timestamp("ms"))
        return _checked_times(times, values)

    def column(self, field: Field) -> pa.Array:
        values = self._values(field)
        if field.name == "geometry" and field.type is FieldType.GEOMETRY and not field.is_array:
            return to_wkb(self._geometries)
        return column(values, field)

    def origin(self, name: str, item: Item) -> str:
        """Say where the value of a field came from, for an error."""
        if name == "geometry" or name in self._time_keys:
            return f"property {name!r}"
        key = next((key for key in self._own_keys.get(name, ()) if item["properties"].get(key) is not None), None)
        return f"property {key!r}" if key else f"field {name!r}"

    def _values(self, field: Field) -> Sequence[Any]:
        if self._facts is None or field.name not in self._facts_keys:
            return self._found_values(field)
        known = [facts.get(field.name) for facts in self._facts]
        if None not in known:
            return known
        found = self._found_values(field)
        return [other if value is None else value for value, other in zip(known, found, strict=True)]

    def _found_values(self, field: Field) -> Sequence[Any]:
        keys = self._own_keys[field.name]
        special = _SPECIAL.get(field.name)
        if special is not None and (
            self._is_stac or field.name == "geometry" or (field.name == "properties" and not keys)
        ):
            return special(self)
        if len(keys) == 1:
            key = keys[0]
            return [each.get(key) for each in self.properties]
        values = [next((each[key] for key in keys if each.get(key) is not None), None) for each in self.properties]
        derived = _DERIVED.get(field.name) if self._is_stac and (not keys or None in values) else None
        if derived is None:
            return values
        return [other if value is None else value for value, other in zip(values, derived(self), strict=True)]

    @cached_property
    def _geometries(self) -> npt.NDArray[np.object_]:
        return parse_geometries([item.get("geometry") for item in self.items])

    @cached_property
    def _folders(self) -> list[str | None]:
        return [product_folder(item) for item in self.items]

    @cached_property
    def _epsg_codes(self) -> list[int | None]:
        return [epsg_code(item) for item in self.items]

    def _product_names(self) -> list[str]:
        return [product_name(item, folder) for item, folder in zip(self.items, self._folders, strict=True)]

    def _rest(self) -> list[dict[str, Any]]:
        used = set(self._time_keys[:1]).union(*(self._own_keys[name] for name in self._own_keys))
        return [{key: value for key, value in each.items() if key not in used} for each in self.properties]


def _checked_times(times: pa.Array, values: Sequence[Any]) -> pa.Array:
    """Return times that can be loaded again, as nanoseconds.

    Raises:
        ValueRefused: One lies later.
    """
    is_late = times.cast(pa.int64()).to_numpy() > _LAST_MS
    if is_late.any():
        position = int(is_late.argmax())
        raise ValueRefused(
            position, f"is {values[position]!r}, which lies after 2262-04-11, where the nanoseconds since 1970 end"
        )
    return times


def _milliseconds(position: int, value: Any) -> int:
    try:
        return time_nanoseconds(value) // 1_000_000
    except ValueError as error:
        raise ValueRefused(position, str(error)) from None


_SPECIAL: dict[str, Callable[[_Chunk], Sequence[Any]]] = {
    "stac_id": lambda chunk: [item["id"] for item in chunk.items],
    "stac_collection": lambda chunk: [item.get("collection") for item in chunk.items],
    "geometry": lambda chunk: [item.get("geometry") for item in chunk.items],
    "assets": lambda chunk: [item.get("assets") for item in chunk.items],
    "properties": _Chunk._rest,
    "granule_name": _Chunk._product_names,
    "proj_epsg": lambda chunk: chunk._epsg_codes,
}
"""Fields that no property fills."""
_DERIVED: dict[str, Callable[[_Chunk], Sequence[Any]]] = {
    "location": lambda chunk: chunk._folders,
    "thumbnail": lambda chunk: [thumbnail(item) for item in chunk.items],
    "center": lambda chunk: centers(chunk._geometries),
    "proj_code": lambda chunk: [None if epsg is None else f"EPSG:{epsg}" for epsg in chunk._epsg_codes],
}
"""Fields that are worked out where no property fills them."""
