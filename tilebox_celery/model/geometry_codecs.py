"""Geometries of shapely as task inputs: EWKB in hexadecimal, which keeps Z, M, SRID and each bit of a coordinate."""

from importlib import import_module
from typing import Any

from tilebox_celery.model.libraries import LibraryCodec

_RING = "LINEARRING"
"""Stands before the polygon of a ring, for which WKB has no form."""


def geometry_codec(cls: type) -> LibraryCodec:
    """Build the codec of one class of geometries, or of all.

    WKT is read as well, for inputs that are written by hand.
    """
    shapely = import_module("shapely")

    def encode(geometry: Any) -> str:
        coordinates = shapely.get_coordinates(geometry)
        if (coordinates != coordinates).any():  # noqa: PLR0124 # NaN: an empty point has this form in WKB
            raise ValueError(
                f"a {geometry.geom_type} with NaN coordinates cannot be stored; use an empty geometry or None"
            )
        _refuse_inner_rings(geometry)
        if geometry.geom_type != "LinearRing":
            return _to_hex(geometry)
        return f"{_RING} " + _to_hex(shapely.set_srid(shapely.polygons(geometry), shapely.get_srid(geometry)))

    def _to_hex(geometry: Any) -> str:
        wkb: bytes = shapely.to_wkb(geometry, include_srid=True, byte_order=1)
        return wkb.hex().upper()  # GEOS itself (hex=True) takes five times as long

    def _read(text: str) -> Any:
        word, _, digits = text.rpartition(" ")
        try:
            wkb = bytes.fromhex(digits)
        except ValueError:
            return shapely.from_wkt(text)
        geometry = shapely.from_wkb(wkb)
        if not word:
            return geometry
        if word != _RING or geometry.geom_type != "Polygon":
            raise ValueError(f"{text!r:.80} is neither WKB in hexadecimal nor WKT")
        return shapely.set_srid(shapely.get_exterior_ring(geometry), shapely.get_srid(geometry))

    def decode(data: Any) -> Any:
        if not isinstance(data, str):
            raise TypeError(f"expected the WKB of a {cls.__name__} in hexadecimal, got {data!r:.80}")
        try:
            geometry = _read(data)
        except shapely.errors.ShapelyError as error:
            raise ValueError(f"{data!r:.80} is neither WKB in hexadecimal nor WKT ({error})") from error
        if not isinstance(geometry, cls):
            raise TypeError(f"expected a {cls.__name__}, got a {type(geometry).__name__}")
        return geometry

    return LibraryCodec(encode, decode, (str,))


def _refuse_inner_rings(geometry: Any) -> None:
    if geometry.geom_type == "GeometryCollection":
        for part in geometry.geoms:
            if part.geom_type == "LinearRing":
                raise ValueError(
                    "a LinearRing in a GeometryCollection would come back as a LineString; use one instead"
                )
            _refuse_inner_rings(part)
