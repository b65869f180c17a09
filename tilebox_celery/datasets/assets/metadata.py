"""What extensions of STAC say about assets and bands, as values: pixels, wavelengths, projection, access."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class DataType(StrEnum):
    """The type of the numbers of pixels; an unknown one is kept as a plain text."""

    UNSPECIFIED = ""
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    CINT16 = "cint16"
    CINT32 = "cint32"
    CFLOAT32 = "cfloat32"
    CFLOAT64 = "cfloat64"
    OTHER = "other"


class MediaType(StrEnum):
    """Media types that are usual for assets; any other text may be used as well."""

    GEOJSON = "application/geo+json"
    JSON = "application/json"
    CLOUD_OPTIMIZED_GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
    GEOTIFF = "image/tiff; application=geotiff"
    TIFF = "image/tiff"
    JPEG_2000 = "image/jp2"
    JPEG = "image/jpeg"
    PNG = "image/png"
    APPLICATION_XML = "application/xml"
    TEXT_XML = "text/xml"
    HTML = "text/html"
    TEXT = "text/plain"
    ZIP = "application/zip"
    HDF5 = "application/x-hdf5"
    HDF = "application/x-hdf"
    NETCDF = "application/netcdf"
    PARQUET = "application/vnd.apache.parquet"
    GEOPACKAGE = "application/geopackage+sqlite3"
    NITF = "application/vnd.nitf"
    OCTET_STREAM = "application/octet-stream"


@dataclass(frozen=True)
class EOProperties:
    """What a band sees."""

    common_name: str | None = None
    """Such as red, nir or swir16."""
    center_wavelength: float | None = None
    """Micrometres."""
    full_width_half_max: float | None = None
    """Width of the band, in micrometres."""
    solar_illumination: float | None = None
    """W/m2/micrometre."""


@dataclass(frozen=True)
class RasterProperties:
    """What the numbers of pixels mean: the value is ``number * scale + offset``."""

    scale: float | None = None
    """None means 1."""
    offset: float | None = None
    """None means 0."""
    spatial_resolution: float | None = None
    """Metres a pixel."""
    sampling: str | None = None
    """area or point."""
    bits_per_sample: int | None = None


@dataclass(frozen=True)
class Projection:
    """Where pixels lie."""

    code: str | None = None
    """Authority and number, such as EPSG:32655."""
    shape: tuple[int, ...] | None = None
    """Rows, columns."""
    transform: tuple[float, ...] | None = None
    """Affine transform from column and row to the place, row by row: 6 or 9 numbers."""
    bbox: tuple[float, ...] | None = None
    """In the units of the projection."""
    wkt2: str | None = None
    projjson: Mapping[str, Any] | None = None

    @property
    def epsg(self) -> int | None:
        """The EPSG number, None where the code is of another authority.

        Example:
            >>> Projection("EPSG:32655").epsg
            32655
        """
        authority, _, number = (self.code or "").partition(":")
        return int(number) if authority.upper() == "EPSG" and number.isdecimal() else None


@dataclass(frozen=True)
class File:
    """What is known of a file before it is there."""

    size: int | None = None
    """Bytes."""
    checksum: str | None = None
    """A multihash in hexadecimal digits, by the standard; some providers write a bare MD5."""


@dataclass(frozen=True)
class StorageScheme:
    """How a location is stored."""

    type: str | None = None
    """aws-s3, custom-s3 and the like."""
    platform: str | None = None
    """URL of the service; the older form of the extension has a name such as AWS."""
    region: str | None = None
    requester_pays: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All else that is said of it."""


@dataclass(frozen=True)
class AuthenticationScheme:
    """How to log in to a location."""

    type: str | None = None
    """s3, oauth2, http and the like."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All else that is said of it."""
