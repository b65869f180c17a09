"""An asset: one file of a datapoint, where it is, and what is in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tilebox_celery.datasets.assets.metadata import (
    AuthenticationScheme,
    DataType,
    EOProperties,
    File,
    Projection,
    RasterProperties,
    StorageScheme,
)


@dataclass(frozen=True)
class AssetLocation:
    """Where a file can be had."""

    href: str
    """A URL, s3://bucket/key, or a path."""
    alternate_name: str | None = None
    """For people."""
    storage_schemes: Mapping[str, StorageScheme] = field(default_factory=dict)
    """By their keys in the registry of the item; the key of what the asset says itself is empty."""
    authentication_schemes: Mapping[str, AuthenticationScheme] = field(default_factory=dict)
    """By their keys in the registry of the item."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All else that is said of an alternate location."""


@dataclass(frozen=True)
class Band:
    """One band of a file; what it does not say itself it has from its asset."""

    name: str | None = None
    description: str | None = None
    data_type: DataType | str = DataType.UNSPECIFIED
    nodata: float | None = None
    """The number of pixels without data; NaN is one, too."""
    unit: str | None = None
    eo: EOProperties | None = None
    raster: RasterProperties | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All else that is said of it."""


@dataclass(frozen=True)
class Asset:
    """One file of a datapoint.

    Data type, nodata, unit, `eo` and `raster` are also there where only the bands say them, and all say the same.

    Example:
        >>> Asset("red", AssetLocation("s3://bucket/B04.tif"), nodata=0, bands=(Band("B04"),)).primary.href
        's3://bucket/B04.tif'
    """

    key: str
    """Its name among the assets of the datapoint."""
    primary: AssetLocation
    alternates: Mapping[str, AssetLocation] = field(default_factory=dict)
    """Other places with the same file, by name."""
    media_type: str | None = None
    """A `MediaType`, or any other text."""
    title: str | None = None
    description: str | None = None
    roles: frozenset[str] = frozenset()
    gsd: float | None = None
    """Metres on the ground that can be told apart."""
    bands: tuple[Band, ...] = ()
    data_type: DataType | str = DataType.UNSPECIFIED
    nodata: float | None = None
    unit: str | None = None
    eo: EOProperties | None = None
    raster: RasterProperties | None = None
    projection: Projection | None = None
    """Its own, or else that of the item."""
    file: File | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All else that the item says of it, by the names of STAC."""
