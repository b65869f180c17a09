"""Turn Arrow lists of different lengths into one padded numpy array, and name its second dimension."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tilebox_celery.datasets.schema import FieldType
from tilebox_celery.datasets.xarray_layout_columns import to_values
from tilebox_celery.datasets.xarray_layout_values import ABSENT


def to_padded(column: pa.ChunkedArray, field_type: FieldType) -> np.ndarray:
    """Return an array of rows by elements, padded at the end with what stands for an absent value.

    Example:
        >>> to_padded(pa.chunked_array([[[1], [2, 3], None]]), FieldType.INT64).tolist()
        [[1, 0], [2, 3], [0, 0]]
    """
    elements = to_values(
        pa.chunked_array([chunk.flatten() for chunk in column.chunks], column.type.value_type), field_type
    )
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    longest = int(lengths.max(initial=0))
    padded = np.full((len(column), longest), ABSENT[elements.dtype.kind], dtype=elements.dtype)
    padded[np.arange(longest) < lengths[:, np.newaxis]] = elements
    return padded


def name_dimensions(lengths: Mapping[str, int]) -> dict[str, str]:
    """Return the name of the dimension of each array field.

    Fields of equal length share a dimension if the name of one extends that of the other.

    Args:
        lengths: Of the longest row of each field.

    Example:
        >>> name_dimensions({"metrics": 3, "metric_count": 3, "bands": 3, "band_names": 2})
        {'bands': 'n_bands', 'metrics': 'n_metrics', 'band_names': 'n_band_names', 'metric_count': 'n_metrics'}
    """
    dimensions: dict[str, str] = {}
    for name in sorted(lengths, key=len):
        roots = (root for root in dimensions if lengths[root] == lengths[name] and _extends(name, root))
        root = next(roots, None)
        dimensions[name] = f"n_{name}" if root is None else dimensions[root]
    return dimensions


def _extends(name: str, root: str) -> bool:
    return name.startswith((f"{root}_", f"{root.removesuffix('s')}_"))
