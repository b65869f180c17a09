"""Turn a part of one Arrow column into numpy values, as datasets lay them out for each type of field."""

import binascii
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from tilebox_celery.datasets.json_object import json_value
from tilebox_celery.datasets.schema import FieldType

_SAMPLE_ROWS = 1_000
_FEW_TEXTS = 100
_DASH = ord("-")

ABSENT: dict[str, Any] = {
    "O": None,
    "U": "",
    "b": False,
    "i": 0,
    "u": 0,
    "f": np.nan,
    "M": np.datetime64("NaT", "ns"),
    "m": np.timedelta64("NaT", "ns"),
}
"""What stands for an absent value, by the kind of a dtype."""


def enum_names(column: pa.ChunkedArray) -> np.ndarray:
    """Return texts as wide as the longest, each made once."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    names = encoded.combine_chunks()
    if isinstance(names, pa.ChunkedArray):  # of no chunks, or of two when one is full
        names = pa.concat_arrays(names.chunks) if names.num_chunks else pa.array([], pa.string()).dictionary_encode()
    texts = np.array([*names.dictionary.to_pylist(), ""], dtype=np.str_)
    values: np.ndarray = texts[_indices(names)]
    return values


def _indices(encoded: pa.DictionaryArray) -> np.ndarray:
    """Return the place of each value in the dictionary; null is the place after the last."""
    places: np.ndarray = pc.fill_null(encoded.indices.cast(pa.int64()), len(encoded.dictionary)).to_numpy()
    return places


def _texts(part: pa.Array) -> np.ndarray:
    """Return texts as objects; few different ones are made once and shared."""
    if not pa.types.is_dictionary(part.type):
        sample = part.take(pa.array(np.arange(0, len(part), max(1, len(part) // _SAMPLE_ROWS))))
        if len(part) < _SAMPLE_ROWS or len(sample.unique()) > _FEW_TEXTS:
            return _as_is(part)
        part = part.dictionary_encode()
    texts = np.array([*part.dictionary.to_pylist(), None], dtype=object)
    values: np.ndarray = texts[_indices(part)]
    return values


def _numbers(part: pa.Array) -> np.ndarray:
    if part.null_count:
        part = pc.fill_null(part, pa.scalar(np.nan if pa.types.is_floating(part.type) else 0).cast(part.type))
    return _as_is(part)


def _as_is(part: pa.Array) -> np.ndarray:
    """Return what Arrow makes of it: None or NaT where a value is absent."""
    values: np.ndarray = part.to_numpy(zero_copy_only=False)
    return values


def _uuids(part: pa.Array) -> np.ndarray:
    """Write UUIDs as text: all digits at once, then widened to code points between the dashes."""
    count = len(part)
    code_points = np.zeros((count, 36), dtype="<u4")
    if part.null_count < count:
        data = memoryview(part.buffers()[1])[part.offset * 16 : (part.offset + count) * 16]
        digits = np.frombuffer(binascii.hexlify(data), dtype=np.uint8).reshape(count, 32)
        for place, start, end in ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32)):
            code_points[:, place : place + end - start] = digits[:, start:end]
        code_points[:, [8, 13, 18, 23]] = _DASH
        if part.null_count:
            code_points[part.is_null().to_numpy(zero_copy_only=False)] = 0
    return code_points.view("<U36").reshape(count)


def vectors(part: pa.FixedSizeListArray) -> np.ndarray:
    size = part.type.list_size
    numbers = _numbers(part.values.slice(part.offset * size, len(part) * size)).reshape(len(part), size)
    if part.null_count:
        numbers = np.where(part.is_valid().to_numpy(zero_copy_only=False)[:, np.newaxis], numbers, np.nan)
    return numbers


def _geometries(part: pa.Array) -> np.ndarray:
    geometries: np.ndarray = shapely.from_wkb(_as_is(part))
    return geometries


def _json_values(part: pa.Array) -> np.ndarray:
    values = (None if text is None else json_value(text) for text in part.to_pylist())
    return np.fromiter(values, dtype=object, count=len(part))


DTYPES = {
    FieldType.STRING: np.dtype(object),
    FieldType.BYTES: np.dtype(object),
    FieldType.BOOL: np.dtype("bool"),
    FieldType.INT32: np.dtype("int32"),
    FieldType.INT64: np.dtype("int64"),
    FieldType.UINT64: np.dtype("uint64"),
    FieldType.FLOAT: np.dtype("float32"),
    FieldType.DOUBLE: np.dtype("float64"),
    FieldType.TIMESTAMP: np.dtype("datetime64[ns]"),
    FieldType.DURATION: np.dtype("timedelta64[ns]"),
    FieldType.UUID: np.dtype("<U36"),
    FieldType.GEOMETRY: np.dtype(object),
    FieldType.JSON: np.dtype(object),
}
CONVERTERS: dict[FieldType, Callable[[pa.Array], np.ndarray]] = {
    FieldType.STRING: _texts,
    FieldType.BYTES: _as_is,
    FieldType.BOOL: _numbers,
    FieldType.INT32: _numbers,
    FieldType.INT64: _numbers,
    FieldType.UINT64: _numbers,
    FieldType.FLOAT: _numbers,
    FieldType.DOUBLE: _numbers,
    FieldType.TIMESTAMP: _as_is,
    FieldType.DURATION: _as_is,
    FieldType.UUID: _uuids,
    FieldType.GEOMETRY: _geometries,
    FieldType.JSON: _json_values,
}
