"""Compare the column of a field with a Python value in SQL, as Python would compare them."""

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from tilebox_celery.datasets.incoming_values import is_missing, read_duration, read_timestamp
from tilebox_celery.datasets.schema import Field, FieldType
from tilebox_celery.datasets.store.columns import column_name
from tilebox_celery.datasets.store.quoting import quoted
from tilebox_celery.errors import ArgumentError

TEXTS = (FieldType.STRING, FieldType.ENUM)
FLOATS = (FieldType.FLOAT, FieldType.DOUBLE)
RANGES = {
    FieldType.INT32: (-(2**31), 2**31 - 1),
    FieldType.INT64: (-(2**63), 2**63 - 1),
    FieldType.UINT64: (0, 2**64 - 1),
}
OPERATORS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
EQUALITY = ("==", "!=")

Bind = Callable[[Any, str], str]


def value_column(field: Field) -> str:
    """Return the column in SQL; a float that is not a number counts as absent, as it does in xarray and pandas."""
    column = quoted(column_name(field.name))
    return f"nullif({column}, 'NaN')" if field.type in FLOATS else column


def bound_comparison(field: Field, operator: str, value: Any, bind: Bind) -> str:
    """Return a comparison in SQL, unknown where the field is absent.

    Args:
        field: That is compared.
        operator: One of ``OPERATORS``.
        value: From Python.
        bind: Takes the value and returns the place of its parameter.

    Raises:
        ArgumentError: The value has another type than the field, or values of that type cannot be compared.
    """
    column = value_column(field)
    if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)):
        value = value.item()
    if value is None:
        raise ArgumentError(f"The field '{field.name}' cannot be compared with None: use is_null() or is_not_null().")
    if field.type in RANGES and _is_number(value):
        return _whole_comparison(column, field, operator, value, bind)
    place = _bound(field, value, bind)
    if place is None:
        raise ArgumentError(
            f"The field '{field.name}' is a {field.type}, and cannot be compared with {value!r} "
            f"({type(value).__name__})."
        )
    if field.type is FieldType.BOOL and operator not in EQUALITY:
        raise ArgumentError(f"The field '{field.name}' is a bool: compare it with == or != only.")
    collation = ' collate "C"' if field.type in TEXTS else ""  # by code points, as Python orders texts
    return f"({column}{collation} {OPERATORS[operator]} {place})"


def _bound(field: Field, value: Any, bind: Bind) -> str | None:
    """Return the place of a value; None if it has another type than the field."""
    place: str | None = None
    match value:
        case int() | float() if field.type in FLOATS and _is_number(value):
            place = _bound_float(field, value, bind)
        case bool() if field.type is FieldType.BOOL:
            place = bind(value, "boolean")
        case str() if field.type in TEXTS:
            place = bind(_storable(field, value), "text")
        case UUID() | str() if field.type is FieldType.UUID:
            place = bind(str(_parsed(field, value, UUID)), "uuid")
        case str() | datetime() | date() | np.datetime64() if field.type is FieldType.TIMESTAMP:
            place = bind(_nanoseconds(field, value, read_timestamp), "bigint")
        case timedelta() | np.timedelta64() if field.type is FieldType.DURATION:
            place = bind(_nanoseconds(field, value, read_duration), "bigint")
    return place


def _storable(field: Field, value: str) -> str:
    if "\0" in value:
        raise ArgumentError(f"The value for the field '{field.name}' has a NUL character, which no text has.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ArgumentError(f"The value for the field '{field.name}' has half of a surrogate pair, which no text has.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bound_float(field: Field, value: float, bind: Bind) -> str:
    number = _finite_or_infinite(field, value)
    if field.type is FieldType.FLOAT:
        with np.errstate(over="ignore"):
            return bind(float(np.float32(number)), "real")  # 0.1 finds what was stored as 0.1
    return bind(number, "double precision")


def _finite_or_infinite(field: Field, value: float) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise ArgumentError(
            f"The field '{field.name}' is a {field.type}, and the value is larger than any such number: compare it "
            "with float('inf')."
        ) from error
    if math.isnan(number):
        raise ArgumentError(f"The field '{field.name}' cannot be compared with NaN: use is_null() or is_not_null().")
    return number


def _whole_comparison(column: str, field: Field, operator: str, value: float, bind: Bind) -> str:
    """Compare whole numbers with any number, exactly, whatever the range of the column."""
    low, high = RANGES[field.type]
    if isinstance(value, float):
        number = _finite_or_infinite(field, value)
        if math.isinf(number):
            value = high + 1 if number > 0 else low - 1
        elif not number.is_integer():
            if operator in EQUALITY:
                return _known(column, operator == "!=")
            operator, value = ("<=", math.floor(number)) if operator in ("<", "<=") else (">=", math.ceil(number))
        else:
            value = int(number)
    if value > high:
        return _known(column, operator in ("<", "<=", "!="))
    if value < low:
        return _known(column, operator in (">", ">=", "!="))
    stored = int(value) - 2**63 if field.type is FieldType.UINT64 else int(value)
    return f"({column} {OPERATORS[operator]} {bind(stored, 'bigint')})"


def _known(column: str, truth: bool) -> str:
    """Return what is the same for every value, and unknown without one."""
    return f"(case when {column} is not null then {'true' if truth else 'false'} end)"


def _nanoseconds(field: Field, value: Any, read: Callable[[Any], int]) -> int:
    if is_missing(value):
        raise ArgumentError(f"The field '{field.name}' cannot be compared with no time: use is_null().")
    try:
        return read(value)
    except ArgumentError as error:
        raise ArgumentError(f"The field '{field.name}' is a {field.type}, and {value!r} is none.") from error
    except ValueError as error:
        raise ArgumentError(
            f"The field '{field.name}' holds times from 1677 to 2262, and durations of up to 292 years, only, not "
            f"{value!r}."
        ) from error


def _parsed(field: Field, value: Any, parse: Callable[[Any], Any]) -> Any:
    if isinstance(value, UUID):
        return value
    try:
        return parse(value)
    except (ValueError, OverflowError) as error:
        raise ArgumentError(f"The field '{field.name}' is a {field.type}, and {value!r} is none.") from error
