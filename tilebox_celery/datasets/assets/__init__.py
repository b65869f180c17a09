"""The files of a datapoint: read from its fields as typed assets, and written back to fields."""

from tilebox_celery.datasets.assets.asset import Asset, AssetLocation, Band
from tilebox_celery.datasets.assets.collection import AssetCollection
from tilebox_celery.datasets.assets.metadata import (
    AuthenticationScheme,
    DataType,
    EOProperties,
    File,
    MediaType,
    Projection,
    RasterProperties,
    StorageScheme,
)

__all__ = [
    "Asset",
    "AssetCollection",
    "AssetLocation",
    "AuthenticationScheme",
    "Band",
    "DataType",
    "EOProperties",
    "File",
    "MediaType",
    "Projection",
    "RasterProperties",
    "StorageScheme",
]
