"""Cut geometries at the antimeridian, so that what they cover on the sphere is plain in longitude and latitude.

An edge goes the short way: one that spans more than 180 degrees of longitude crosses the antimeridian. A ring that
goes once around the Earth holds the pole of the hemisphere that it is in. Edges are straight in longitude and latitude.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

HALF, FULL = 180.0, 360.0


def on_sphere(geometries: np.ndarray) -> np.ndarray:
    """Return geometries cut at the antimeridian; those that need no cut are returned as they are.

    Args:
        geometries: An array of shapely geometries and None.

    Example:
        >>> [cut] = on_sphere(np.array([shapely.box(170, 0, 190, 10)]))
        >>> sorted(part.bounds for part in cut.geoms)
        [(-180.0, 0.0, -170.0, 10.0), (170.0, 0.0, 180.0, 10.0)]
    """
    unusual = np.flatnonzero(is_unusual(shapely.bounds(geometries)))
    if len(unusual) == 0:
        return geometries
    geometries = geometries.copy()
    for place in unusual:
        geometries[place] = cut(geometries[place])
    return geometries


def is_unusual(bounds: np.ndarray) -> np.ndarray:
    """Tell which geometries may cross the antimeridian, from their bounds."""
    west, east = bounds[..., 0], bounds[..., 2]
    result: np.ndarray = (east - west > HALF) | (west < -HALF) | (east > HALF)
    return result


def cut(geometry: BaseGeometry) -> BaseGeometry:
    """Return one geometry as it lies between 180 degrees west and east."""
    parts = [part for single in shapely.get_parts(geometry) for part in _windows(single)]
    parts = [piece for part in parts for piece in shapely.get_parts(part) if not piece.is_empty]
    if len(parts) == 1:
        return parts[0]
    kinds = {part.geom_type for part in parts}
    if kinds == {"Polygon"}:
        union = shapely.union_all(parts)  # parts that met at the antimeridian may share an edge now
        return union if union.geom_type in ("Polygon", "MultiPolygon") else shapely.multipolygons(parts)
    return shapely.geometrycollections(parts)


def _windows(geometry: BaseGeometry) -> Iterator[BaseGeometry]:
    """Unroll a geometry along the longitudes, and cut it into turns around the Earth."""
    unrolled = _unrolled(geometry)
    if unrolled.is_empty:
        return
    if not unrolled.is_valid:
        unrolled = shapely.make_valid(unrolled)
    west, _, east, _ = unrolled.bounds
    for turn in range(int(np.floor((west + HALF) / FULL)), int(np.floor((east + HALF) / FULL)) + 1):
        left = turn * FULL - HALF
        if east == left and west < east:
            continue  # it only touches this turn
        part = shapely.intersection(unrolled, shapely.box(left, -90.0, left + FULL, 90.0))
        yield shapely.transform(part, lambda points, turn=turn: points - [turn * FULL, 0.0])


def _unrolled(geometry: BaseGeometry) -> Any:
    if geometry.geom_type == "Polygon":
        return _unrolled_polygon(geometry)
    if geometry.geom_type in ("LineString", "LinearRing"):
        return shapely.linestrings(_unrolled_points(shapely.get_coordinates(geometry)))
    if geometry.geom_type == "Point":
        return shapely.force_2d(geometry)
    return shapely.geometrycollections([_unrolled(part) for part in shapely.get_parts(geometry)])


def _unrolled_polygon(polygon: Any) -> Any:
    shell = _closed_ring(shapely.get_coordinates(polygon.exterior))
    result = shapely.polygons(shell)
    middle = (shell[:, 0].min() + shell[:, 0].max()) / 2
    for interior in polygon.interiors:
        hole = _closed_ring(shapely.get_coordinates(interior))
        turns = np.round((middle - (hole[:, 0].min() + hole[:, 0].max()) / 2) / FULL)
        result = shapely.difference(_valid(result), _valid(shapely.polygons(np.add(hole, [turns * FULL, 0.0]))))
    return result


def _valid(geometry: Any) -> Any:
    return geometry if geometry.is_valid else shapely.make_valid(geometry)


def _unrolled_points(points: np.ndarray) -> np.ndarray:
    """Let longitudes run on where an edge crosses the antimeridian."""
    steps = np.diff(points[:, 0])
    # An edge along the whole parallel is meant so: the boxes of global products have it.
    is_crossing = (np.abs(steps) > HALF) & (np.abs(steps) != FULL)
    steps = np.where(is_crossing, steps - np.round(steps / FULL) * FULL, steps)
    points = points.copy()
    points[1:, 0] = points[0, 0] + np.cumsum(steps)
    return points


def _closed_ring(points: np.ndarray) -> np.ndarray:
    """Unroll a ring; one around the Earth is closed along the pole."""
    points = _unrolled_points(points)
    if abs(points[-1, 0] - points[0, 0]) < HALF:
        points[-1, 0] = points[0, 0]  # without the rounding errors of the sum
        return points
    pole = 90.0 if points[:, 1].mean() >= 0 else -90.0
    return np.vstack([points, [[points[-1, 0], pole], [points[0, 0], pole], points[0]]])
