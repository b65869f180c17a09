"""Convert a whole Arrow array to the type of a field; None where single values must be looked at."""

import binascii

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tilebox_celery.datasets.arrow_types import value_type
from tilebox_celery.datasets.schema import FieldType

_TEXT_TYPES = (FieldType.STRING, FieldType.ENUM)
_INTEGER_TYPES = (FieldType.INT32, FieldType.INT64, FieldType.UINT64)
_FLOAT_TYPES = (FieldType.FLOAT, FieldType.DOUBLE)
_UUID_TEXT = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"


def convert_array(array: pa.Array, field_type: FieldType) -> pa.Array | None:
    """Return the array in the type of the field.

    Returns:
        None if a value is refused, or if the types are not of one family: then `read_values` decides.

    Example:
        >>> convert_array(pa.array([1.0, 2.0]), FieldType.INT32).type
        DataType(int32)
        >>> convert_array(pa.array([1.5]), FieldType.INT32) is None
        True
    """
    kind, target = array.type, value_type(field_type)
    if pa.types.is_null(kind):
        return array.cast(target)
    if field_type in _TEXT_TYPES and pa.types.is_string(kind):
        return _texts(array, is_name=field_type is FieldType.ENUM)
    if field_type is FieldType.UUID and pa.types.is_string(kind):
        return _uuids(array)
    if pa.types.is_floating(kind):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, kind), array)
    try:
        return array.cast(target) if _is_family(kind, field_type) and _fits(array, field_type) else None
    except pa.ArrowInvalid:  # a value is out of range, or would lose digits
        return None


def _is_family(kind: pa.DataType, field_type: FieldType) -> bool:
    """Return whether Arrow's cast between the two accepts just what reading single values does."""
    types = pa.types
    if field_type in _INTEGER_TYPES or field_type in _FLOAT_TYPES:
        return bool(types.is_integer(kind) or types.is_floating(kind))
    families = {
        FieldType.BYTES: types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind),
        FieldType.BOOL: types.is_boolean(kind),
        FieldType.TIMESTAMP: types.is_timestamp(kind) or types.is_date(kind),
        FieldType.DURATION: types.is_duration(kind),
        FieldType.UUID: types.is_fixed_size_binary(kind) and kind.byte_width == 16,
    }
    return bool(families.get(field_type, False))


def _fits(array: pa.Array, field_type: FieldType) -> bool:
    """Return whether no number becomes infinite in 32 bits, which Arrow does not say."""
    if field_type is not FieldType.FLOAT or not pa.types.is_float64(array.type):
        return True
    numbers = pc.fill_null(array, 0).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        return bool((np.isinf(numbers.astype(np.float32)) == np.isinf(numbers)).all())


def _texts(array: pa.Array, is_name: bool) -> pa.Array | None:
    if pc.any(pc.match_substring(array, "\0")).as_py():
        return None
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array) if is_name else array


def _uuids(array: pa.Array) -> pa.Array | None:
    """Return UUIDs from texts that all have dashes; an empty text is absent."""
    texts = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    if not pc.all(pc.match_substring_regex(texts, _UUID_TEXT)).as_py() and texts.null_count < len(texts):
        return None
    digits = pc.fill_null(pc.replace_substring(texts, "-", ""), "0" * 32)
    data = binascii.unhexlify("".join(digits.to_pylist()))
    uuids = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(texts), [None, pa.py_buffer(data)])
    return pc.if_else(texts.is_valid(), uuids, pa.scalar(None, pa.binary(16)))
