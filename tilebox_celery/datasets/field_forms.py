"""Read how people write the fields of a dataset: Python types, names of types, dicts of the documents."""

import types
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, get_args, get_origin
from uuid import UUID

from tilebox_celery.datasets.schema import Field, FieldType
from tilebox_celery.errors import ArgumentError

PYTHON_TYPES: dict[type, FieldType] = {
    str: FieldType.STRING,
    bytes: FieldType.BYTES,
    bool: FieldType.BOOL,
    int: FieldType.INT64,
    float: FieldType.DOUBLE,
    datetime: FieldType.TIMESTAMP,
    timedelta: FieldType.DURATION,
    UUID: FieldType.UUID,
    dict: FieldType.JSON,
}
NAMES_OF_LIBRARIES = {
    "int32": FieldType.INT32,
    "int64": FieldType.INT64,
    "uint64": FieldType.UINT64,
    "float32": FieldType.FLOAT,
    "float64": FieldType.DOUBLE,
    "datetime64": FieldType.TIMESTAMP,
    "timedelta64": FieldType.DURATION,
    "BaseGeometry": FieldType.GEOMETRY,
    "Geometry": FieldType.GEOMETRY,
    "Polygon": FieldType.GEOMETRY,
    "MultiPolygon": FieldType.GEOMETRY,
    "Point": FieldType.GEOMETRY,
    "LineString": FieldType.GEOMETRY,
}
"""Class names of numpy and shapely, so that neither has to be loaded to name one."""
_KNOWN_KEYS = {"name", "type", "description", "example", "example_value", "queryable", "is_array"}


def read_fields(forms: Iterable[object]) -> tuple[Field, ...]:
    """Return fields from what a person wrote.

    Args:
        forms: Each a `Field`, a pair of name and type, or a mapping with ``name``, ``type`` and perhaps
            ``description``, ``example_value`` and ``queryable``. A type is a Python type (``str``, ``int``, ``float``,
            ``bool``, ``bytes``, ``datetime``, ``timedelta``, ``UUID``, ``dict``), a numpy scalar type, a shapely class,
            ``list[type]`` for arrays, or a name of `FieldType` (``"latlon"``, ``"list[string]"``).

    Raises:
        ArgumentError: A form cannot be read; the message names the field.

    Example:
        >>> [str(each.type) for each in read_fields([("granule_name", str), {"name": "bands", "type": list[int]}])]
        ['string', 'int64']
    """
    if isinstance(forms, Mapping):
        forms = forms.items()
    return tuple(_read(number, form) for number, form in enumerate(forms, 1))


def _read(number: int, form: object) -> Field:
    if isinstance(form, Field):
        return form
    if isinstance(form, Mapping):
        missing = {"name", "type"} - form.keys()
        if missing:
            raise ArgumentError(f"Field number {number} has no {missing.pop()!r}: a field needs a name and a type.")
        unknown = form.keys() - _KNOWN_KEYS
        if unknown:
            known = ", ".join(sorted(_KNOWN_KEYS))
            raise ArgumentError(f"Field {form['name']!r} has the unknown key {unknown.pop()!r}; known are {known}.")
        values: dict[str, Any] = {str(key): value for key, value in form.items()}
        type_, is_array = _read_type(values["name"], values["type"])
        return Field(
            _text(values["name"]),
            type_,
            is_array=is_array or bool(values.get("is_array")),
            queryable=bool(values.get("queryable", True)),
            description=str(values.get("description", "")),
            example=str(values.get("example_value", values.get("example", ""))),
        )
    if isinstance(form, tuple) and len(form) == 2:
        type_, is_array = _read_type(form[0], form[1])
        return Field(_text(form[0]), type_, is_array=is_array)
    raise ArgumentError(
        f"Field number {number} is {form!r}: give a mapping with 'name' and 'type', or a pair of both, such as "
        '("cloud_cover", float).'
    )


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise ArgumentError(f"The field name {name!r} cannot be used: a name is a text.")
    return name


def _read_type(name: object, form: object) -> tuple[FieldType, bool]:
    if isinstance(form, FieldType):
        return form, False
    if isinstance(form, str):
        inner = form.strip().lower()
        is_array = inner.startswith("list[") and inner.endswith("]")
        if is_array:
            inner = inner[5:-1]
        try:
            return FieldType(inner), is_array
        except ValueError:
            raise ArgumentError(_unknown(name, form)) from None
    if isinstance(form, types.GenericAlias) and get_origin(form) is list:
        type_, is_nested = _read_type(name, get_args(form)[0])
        if is_nested:
            raise ArgumentError(f"Field {name!r} cannot be a list of lists.")
        return type_, True
    if isinstance(form, type):
        known = PYTHON_TYPES.get(form) or NAMES_OF_LIBRARIES.get(form.__name__)
        if known is not None:
            return known, False
    raise ArgumentError(_unknown(name, form))


def _unknown(name: object, form: object) -> str:
    shown = form.__name__ if isinstance(form, type) else repr(form)
    return f"Field {name!r} has the unknown type {shown}; known are {', '.join(FieldType)}, and list[...] of them."
