"""Read geometries in any form, check that they lie on the globe, and write them as WKB."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from shapely.geometry.base import BaseGeometry

from tilebox_celery.datasets.incoming_place import Place, shown
from tilebox_celery.datasets.incoming_values import is_missing

MAX_LONGITUDE, MAX_LATITUDE = 180.0, 90.0
ROUNDING_DEGREES = 1e-6
"""What a coordinate may lie beyond the edge of the globe: reprojected edges do, by rounding."""
_LITTLE_ENDIAN = 1
_REASONS = (ValueError, TypeError, KeyError, AttributeError, IndexError, shapely.errors.ShapelyError)


def read_geometries(values: Sequence[Any], place: Place) -> pa.Array:
    """Return the WKB of shapely geometries, WKB, WKT or GeoJSON (as a dict or a text), any of which may be missing.

    Raises:
        ArgumentError: A value is no geometry, or its longitude exceeds 180 degrees or its latitude 90.

    Example:
        >>> read_geometries(["POINT (11.5 48.1)", None], Place("geometry")).null_count
        1
    """
    geometries = _all_at_once(values)
    if geometries is None:
        geometries = np.empty(len(values), dtype=object)
        for index, value in enumerate(values):
            try:
                geometries[index] = _read(value)
            except _REASONS as error:
                raise place.refusal(index, f"{shown(value)} is no geometry: {error}".rstrip(".")) from error
    _check(geometries, place)
    written = shapely.to_wkb(geometries, byte_order=_LITTLE_ENDIAN, include_srid=False, flavor="iso")
    return pa.array(written, pa.binary())


def is_on_globe(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Return whether coordinates are degrees within the globe; NaN is not."""
    within: np.ndarray = (np.abs(longitude) <= MAX_LONGITUDE + ROUNDING_DEGREES) & (
        np.abs(latitude) <= MAX_LATITUDE + ROUNDING_DEGREES
    )
    return within


def _all_at_once(values: Sequence[Any]) -> np.ndarray | None:
    """Return the geometries if all are of shapely, or all WKB, several times as fast as one by one."""
    kinds = set(map(type, values)) - {type(None)}
    objects = np.fromiter(values, dtype=object, count=len(values))
    if all(issubclass(kind, BaseGeometry) for kind in kinds):
        return objects
    if kinds == {bytes}:
        try:
            geometries: np.ndarray = shapely.from_wkb(objects)
        except shapely.errors.ShapelyError:
            return None
        return geometries
    return None


def _read(value: Any) -> BaseGeometry | None:
    if is_missing(value) or isinstance(value, BaseGeometry):
        return None if is_missing(value) else value
    if isinstance(value, bytes | bytearray | memoryview):
        return shapely.from_wkb(bytes(value))
    if isinstance(value, str):
        return shapely.from_geojson(value) if value.lstrip().startswith("{") else shapely.from_wkt(value)
    if isinstance(value, dict) or hasattr(value, "__geo_interface__"):
        return shapely.geometry.shape(value)
    raise TypeError("pass a shapely geometry, WKB, WKT or GeoJSON")


def _check(geometries: np.ndarray, place: Place) -> None:
    coordinates, owners = shapely.get_coordinates(geometries, return_index=True)
    is_bad = ~is_on_globe(coordinates[:, 0], coordinates[:, 1])
    if is_bad.any():
        first = int(is_bad.argmax())
        longitude, latitude = coordinates[first]
        raise place.refusal(
            int(owners[first]),
            f"the geometry has the longitude {longitude:g} and the latitude {latitude:g}, which must lie within 180 "
            "and 90 degrees: reproject it, or split it where it crosses 180 degrees",
        )
