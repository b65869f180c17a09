"""What GeoParquet says of the coordinates of a geometry: taken are degrees of longitude and latitude, or none named."""

import json
from typing import Any

import pyarrow as pa

from tilebox_celery.errors import ArgumentError

_DEGREES = {("OGC", "CRS84"), ("OGC", "CRS84H"), ("EPSG", "4326"), ("EPSG", "4979")}


def check_degrees(schema: pa.Schema) -> None:
    """Refuse a table with a geometry of which its metadata says that it has other coordinates.

    Raises:
        ArgumentError: It names the column and the coordinate system.

    Example:
        >>> check_degrees(pa.schema([("geometry", pa.binary())]))
    """
    try:
        columns = json.loads((schema.metadata or {}).get(b"geo", b"{}"))["columns"]
        systems = {name: column["crs"] for name, column in columns.items() if column.get("crs")}
    except (ValueError, KeyError, AttributeError, TypeError):
        return  # no GeoParquet, or one without a word on coordinates, which means degrees
    for name, crs in systems.items():
        if name in schema.names and not _is_degrees(crs):
            raise ArgumentError(
                f"The column {name!r} is not in degrees of longitude and latitude but in {_name(crs)}: let geopandas "
                "read it, and ingest the GeoDataFrame, which is reprojected."
            )


def _is_degrees(crs: Any) -> bool:
    identifier = crs.get("id") if isinstance(crs, dict) else None
    if not isinstance(identifier, dict):
        return _name(crs).startswith("WGS 84 (CRS84)") or _name(crs) == "WGS 84"
    return (str(identifier.get("authority")).upper(), str(identifier.get("code")).upper()) in _DEGREES


def _name(crs: Any) -> str:
    """Return the code of a coordinate system, or its name."""
    if not isinstance(crs, dict):
        return str(crs)[:100]
    identifier = crs.get("id")
    if isinstance(identifier, dict):
        return f"{identifier.get('authority')}:{identifier.get('code')}"
    return str(crs.get("name", "another system"))[:100]
