"""A list of values of JSON as one Arrow column: all at once where they are as usual, else one by one."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tilebox_celery.datasets.arrow_types import arrow_type
from tilebox_celery.datasets.json_text import canonical_dumps
from tilebox_celery.datasets.schema import Field, FieldType
from tilebox_celery.datasets.stac.geometries import parse_geometries, to_wkb
from tilebox_celery.datasets.stac.times import fast_nanoseconds
from tilebox_celery.datasets.stac.values import ValueRefused, reader_of

_UNUSUAL = (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError)
"""What Arrow raises where a value is not of the expected kind; then each is read by itself, and a bad one is named."""


def column(values: Sequence[Any], field: Field) -> pa.Array:
    """Return the values as a column of the field's type, null where a value is None.

    Raises:
        ValueRefused: One cannot become a value of the field; it knows which and why.
    """
    if field.is_array:
        return _lists(values, field)
    if field.type is FieldType.GEOMETRY:
        return to_wkb(parse_geometries(values))
    fast = _FAST.get(field.type)
    if fast is not None:
        try:
            return fast(values)
        except _UNUSUAL:
            pass
    return _slow(values, field)


def _slow(values: Sequence[Any], field: Field) -> pa.Array:
    read = reader_of(field.type)
    converted = [None if value is None else _one(read, position, value) for position, value in enumerate(values)]
    plain = {FieldType.TIMESTAMP: pa.int64(), FieldType.DURATION: pa.int64()}.get(field.type, arrow_type(field))
    try:
        return pa.array(converted, plain).cast(arrow_type(field))
    except (pa.ArrowException, OverflowError):  # a time beyond the nanoseconds that 64 bits can count
        fits = range(-(2**63), 2**63)
        position = next((at for at, each in enumerate(converted) if isinstance(each, int) and each not in fits), 0)
        raise ValueRefused(position, f"is {values[position]!r}, which is out of range for a {field.type}") from None


def _one(read: Callable[[Any], Any], position: int, value: Any) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError) as error:
        raise ValueRefused(position, str(error)) from None


def _lists(values: Sequence[Any], field: Field) -> pa.Array:
    """Flatten, make one column of all elements, and cut it again."""
    offsets: list[int | None] = []
    elements: list[Any] = []
    owners: list[int] = []
    for position, value in enumerate(values):
        if value is None:
            offsets.append(None)
            continue
        if not isinstance(value, list | tuple):
            raise ValueRefused(position, f"is {str(value)[:60]!r}, which is no list")
        offsets.append(len(elements))
        elements.extend(value)
        owners.extend([position] * len(value))
    offsets.append(len(elements))
    try:
        flat = column(elements, Field(field.name, field.type))
    except ValueRefused as refused:
        raise ValueRefused(owners[refused.position], f"has an element that {refused.reason}") from None
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat, type=arrow_type(field))


def _strings(values: Sequence[Any]) -> pa.Array:
    texts = pa.array(values, pa.string())
    if pc.any(pc.match_substring(texts, "\0")).as_py():
        raise ValueError
    return texts


def _names(values: Sequence[Any]) -> pa.Array:
    names = _strings(values)
    return pc.if_else(pc.equal(names, ""), pa.scalar(None, pa.string()), names)


def _json(values: Sequence[Any]) -> pa.Array:
    return pa.array([None if value is None else canonical_dumps(value) for value in values], pa.string())


def _numbers(data_type: pa.DataType, *usual: type) -> Callable[[Sequence[Any]], pa.Array]:
    def read(values: Sequence[Any]) -> pa.Array:
        if not set(map(type, values)) <= {*usual, type(None)}:  # Arrow would take true as 1, and 1.5 as well
            raise TypeError
        return pa.array(values, data_type)

    return read


_FAST: dict[FieldType, Callable[[Sequence[Any]], pa.Array]] = {
    FieldType.STRING: _strings,
    FieldType.ENUM: _names,
    FieldType.JSON: _json,
    FieldType.BOOL: lambda values: pa.array(values, pa.bool_()),
    FieldType.INT32: _numbers(pa.int32(), int),
    FieldType.INT64: _numbers(pa.int64(), int),
    FieldType.UINT64: _numbers(pa.uint64(), int),
    FieldType.FLOAT: _numbers(pa.float32(), int, float),
    FieldType.DOUBLE: _numbers(pa.float64(), int, float),
    FieldType.TIMESTAMP: lambda values: fast_nanoseconds(values).cast(pa.timestamp("ns")),
}
