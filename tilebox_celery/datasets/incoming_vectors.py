"""Read positions and other vectors, which are a fixed number of doubles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tilebox_celery.datasets.incoming_geometries import is_on_globe
from tilebox_celery.datasets.incoming_place import Place, shown
from tilebox_celery.datasets.incoming_values import is_missing, read_number
from tilebox_celery.datasets.schema import VECTOR_DIMENSIONS, VECTOR_SIZES, FieldType


def read_vectors(values: pa.Array | np.ndarray | Sequence[Any], field_type: FieldType, place: Place) -> pa.Array:
    """Return the Arrow array of vectors; one without any number is absent.

    Args:
        values: An array of rows by numbers, Arrow lists, or Python sequences of numbers.
        field_type: One of `VECTOR_SIZES`.
        place: Where the values stand.

    Raises:
        ArgumentError: A vector has too few or too many numbers, or a position does not lie on the globe.

    Example:
        >>> read_vectors([(48.1, 11.5), None], FieldType.LATLON, Place("center")).null_count
        1
    """
    size = VECTOR_SIZES[field_type]
    matrix = _matrix(values, size)
    if matrix is None:
        python_values = values.to_pylist() if isinstance(values, pa.Array) else values
        matrix = np.full((len(python_values), size), np.nan)
        for index, value in enumerate(python_values):
            try:
                matrix[index] = np.nan if is_missing(value) else _read(value, field_type)
            except (ValueError, TypeError, OverflowError) as error:
                raise place.refusal(index, str(error)) from error
    is_absent = np.isnan(matrix).all(axis=1)
    if field_type in (FieldType.LATLON, FieldType.LATLONALT):
        is_bad = ~is_on_globe(matrix[:, 1], matrix[:, 0]) & ~is_absent
        if is_bad.any():
            row = int(is_bad.argmax())
            raise place.refusal(
                row,
                f"the latitude {matrix[row, 0]:g} and the longitude {matrix[row, 1]:g} must lie within 90 and 180 "
                "degrees",
            )
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), size, mask=pa.array(is_absent))


def _matrix(values: Any, size: int) -> np.ndarray | None:
    """Return the numbers at once if they already lie side by side; absent rows are NaN."""
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == size and values.dtype.kind in "iuf":
        return values.astype(np.float64)
    if isinstance(values, pa.FixedSizeListArray) and values.type.list_size == size and not values.null_count:
        numbers = values.flatten()
        if pa.types.is_floating(numbers.type) or pa.types.is_integer(numbers.type):
            filled: np.ndarray = numbers.cast(pa.float64()).to_numpy(zero_copy_only=False)
            return filled.reshape(-1, size).copy()
    return None


def _read(value: Any, field_type: FieldType) -> list[float]:
    size, (_, labels) = VECTOR_SIZES[field_type], VECTOR_DIMENSIONS[field_type]
    if isinstance(value, str | bytes | dict | set) or not hasattr(value, "__len__") or len(value) != size:
        raise TypeError(f"expected {size} numbers ({', '.join(labels)}), but got {shown(value)}")
    return [np.nan if is_missing(number) else read_number(number) for number in value]
