"""Storage clients: download the products behind datapoints from their providers into a cache."""

from tilebox_celery.storage.archive import ArchiveLimits
from tilebox_celery.storage.asf import ASFStorageClient
from tilebox_celery.storage.client import StorageClient
from tilebox_celery.storage.copernicus import CopernicusStorageClient
from tilebox_celery.storage.landsat import USGSLandsatStorageClient
from tilebox_celery.storage.local import LocalFileSystemStorageClient
from tilebox_celery.storage.retrying import RetryPolicy
from tilebox_celery.storage.umbra import UmbraStorageClient

__all__ = [
    "ASFStorageClient",
    "ArchiveLimits",
    "CopernicusStorageClient",
    "LocalFileSystemStorageClient",
    "RetryPolicy",
    "StorageClient",
    "USGSLandsatStorageClient",
    "UmbraStorageClient",
]
