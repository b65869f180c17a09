"""The schema of a dataset as a plain value: its kind, and the name and type of each field."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from tilebox_celery.errors import ArgumentError

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
RESERVED = frozenset({"time", "id", "ingestion_time"})
"""Every datapoint has these, and no field may take their names."""


class DatasetKind(StrEnum):
    """What every datapoint of a dataset has beside its id: a time, or a time and a geometry."""

    TEMPORAL = "temporal"
    SPATIOTEMPORAL = "spatiotemporal"


class FieldType(StrEnum):
    """The types of a field; the names are those of the documents."""

    STRING = "string"
    BYTES = "bytes"
    BOOL = "bool"
    INT32 = "int32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT = "float"
    DOUBLE = "double"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    UUID = "uuid"
    ENUM = "enum"
    """A text of few different values, loaded as a fixed-width string."""
    GEOMETRY = "geometry"
    LATLON = "latlon"
    LATLONALT = "latlonalt"
    VEC3 = "vec3"
    QUATERNION = "quaternion"
    JSON = "json"
    """Anything JSON can hold, such as the assets of a STAC item; objects are loaded as mappings, decoded when used."""


VECTOR_SIZES = {FieldType.LATLON: 2, FieldType.LATLONALT: 3, FieldType.VEC3: 3, FieldType.QUATERNION: 4}
"""Types that are a fixed number of doubles."""
VECTOR_DIMENSIONS = {
    FieldType.LATLON: ("latlon", ("latitude", "longitude")),
    FieldType.LATLONALT: ("lat_lon_alt", ("latitude", "longitude", "altitude")),
    FieldType.VEC3: ("vec3", ("x", "y", "z")),
    FieldType.QUATERNION: ("quaternion", ("q1", "q2", "q3", "q4")),
}
"""The dimension of such a type in a loaded dataset, and the labels along it."""
_DIMENSIONS = frozenset(dimension for dimension, _ in VECTOR_DIMENSIONS.values())


@dataclass(frozen=True)
class Field:
    """One field of a dataset.

    Args:
        name: Lower case, digits and underscores.
        type: Of its values.
        is_array: Whether a datapoint holds a list of such values.
        queryable: Whether it may stand in a filter; such fields are scalar.
        description: For people, one sentence.
        example: A value as text, for people.

    Raises:
        ArgumentError: The name cannot be used, or an array is to be queryable.
    """

    name: str
    type: FieldType
    is_array: bool = False
    queryable: bool = True
    description: str = ""
    example: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ArgumentError(
                f"The field name {self.name!r} cannot be used: it must begin with a lower case letter and hold only "
                "lower case letters, digits and underscores, at most 63 of them."
            )
        if self.name in RESERVED:
            raise ArgumentError(
                f"The field name {self.name!r} is taken: every datapoint has {', '.join(sorted(RESERVED))}."
            )
        if self.name in _DIMENSIONS:
            raise ArgumentError(f"The field name {self.name!r} is taken by the dimension of such fields: use another.")
        if self.is_array and self.type in VECTOR_SIZES:
            raise ArgumentError(f"Field {self.name!r} cannot be an array of {self.type}.")


@dataclass(frozen=True)
class Schema:
    """The fields of a dataset in order, `time` left out since all have it.

    A spatiotemporal dataset has a scalar field `geometry` of type geometry; it is added where it is missing.

    Raises:
        ArgumentError: Two fields have the same name, or `geometry` of a spatiotemporal dataset is something else.

    Example:
        >>> schema = Schema(DatasetKind.SPATIOTEMPORAL, (Field("cloud_cover", FieldType.DOUBLE),))
        >>> [field.name for field in schema.fields]
        ['geometry', 'cloud_cover']
    """

    kind: DatasetKind
    fields: tuple[Field, ...] = ()
    by_name: dict[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fields = tuple(self.fields)
        geometry = next((each for each in fields if each.name == "geometry"), None)
        if self.kind is DatasetKind.SPATIOTEMPORAL:
            if geometry is None:
                fields = (Field("geometry", FieldType.GEOMETRY, description="The footprint, in degrees."), *fields)
            elif geometry.type is not FieldType.GEOMETRY or geometry.is_array:
                raise ArgumentError("The field 'geometry' of a spatiotemporal dataset must be one geometry.")
        by_name = {each.name: each for each in fields}
        if len(by_name) < len(fields):
            names = [each.name for each in fields]
            twice = next(name for name in names if names.count(name) > 1)
            raise ArgumentError(f"The field {twice!r} is given twice.")
        for each in fields:
            if each.is_array and f"n_{each.name}" in by_name:
                raise ArgumentError(f"The field name 'n_{each.name}' is taken by the dimension of {each.name!r}.")
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "by_name", by_name)

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold, for the database."""
        return {"kind": str(self.kind), "fields": [asdict(each) for each in self.fields]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Schema":
        """Read what `to_json` gave."""
        return cls(DatasetKind(value["kind"]), fields_from_json(value["fields"]))


def fields_from_json(values: Sequence[dict[str, Any]]) -> tuple[Field, ...]:
    """Read fields from the JSON form of a schema."""
    return tuple(Field(**{**value, "type": FieldType(value["type"])}) for value in values)
