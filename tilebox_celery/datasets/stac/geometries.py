"""GeoJSON geometries as shapely objects and as WKB, a whole chunk at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from tilebox_celery.datasets.json_text import dumps
from tilebox_celery.datasets.stac.values import ValueRefused

_TYPES = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
)


def parse_geometries(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    """Return shapely geometries of GeoJSON geometries, None where there is none.

    Raises:
        ValueRefused: One is no geometry in degrees.
    """
    try:
        parsed = _parse(values)
    except (TypeError, ValueError, AttributeError, shapely.errors.ShapelyError):
        parsed = np.empty(len(values), dtype=object)
        for position, value in enumerate(values):
            parsed[position] = _parse_one(position, value)
    _check_degrees(parsed)
    return parsed


def to_wkb(geometries: npt.NDArray[np.object_]) -> pa.Array:
    """Return the geometries as WKB, written as incoming data of other forms are."""
    return pa.array(shapely.to_wkb(geometries, byte_order=1, include_srid=False, flavor="iso"), pa.binary())


def centers(geometries: npt.NDArray[np.object_]) -> list[list[float] | None]:
    """Return latitude and longitude of the centroid of each, also of those that cross the antimeridian."""
    bounds = shapely.bounds(geometries)
    with np.errstate(invalid="ignore"):
        crossing = bounds[:, 2] - bounds[:, 0] > 180
    if crossing.any():
        geometries = geometries.copy()
        geometries[crossing] = shapely.transform(geometries[crossing], _to_the_east)
    points = shapely.get_coordinates(shapely.centroid(geometries[shapely.is_geometry(geometries)]))
    found: list[list[float] | None] = [None] * len(geometries)
    has_center = shapely.is_geometry(geometries) & ~shapely.is_empty(geometries)
    for position, (longitude, latitude) in zip(np.flatnonzero(has_center).tolist(), points.tolist(), strict=True):
        found[position] = [latitude, longitude - 360 if longitude > 180 else longitude]
    return found


def _to_the_east(coordinates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(coordinates[:, :1] < 0, coordinates + np.array([360, 0]), coordinates)


def _parse(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    for value in values:
        if value is not None and value["type"] not in _TYPES:
            raise ValueError("is no geometry")
    texts = np.array([None if value is None else dumps(value) for value in values], dtype=object)
    parsed: npt.NDArray[np.object_] = shapely.from_geojson(texts)
    return parsed


def _parse_one(position: int, value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("type") not in _TYPES:
        raise ValueRefused(position, f"is {str(value)[:60]!r}, which is no GeoJSON geometry")
    try:
        return _parse([value])[0]
    except (TypeError, ValueError, shapely.errors.ShapelyError) as error:
        raise ValueRefused(position, f"is no valid {value['type']}: {error}") from None


def _check_degrees(geometries: npt.NDArray[np.object_]) -> None:
    bounds = shapely.bounds(geometries)
    with np.errstate(invalid="ignore"):
        outside = (np.abs(bounds[:, [0, 2]]) > 180).any(axis=1) | (np.abs(bounds[:, [1, 3]]) > 90).any(axis=1)
    if outside.any():
        position = int(np.flatnonzero(outside)[0])
        west, south, east, north = bounds[position].tolist()
        raise ValueRefused(
            position,
            f"reaches from {west}, {south} to {east}, {north}, which must lie within 180 degrees of longitude and 90 "
            "of latitude: split it where it crosses 180 degrees",
        )
