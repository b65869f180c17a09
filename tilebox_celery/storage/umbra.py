"""The client of Umbra's open data: SAR products in a public S3 bucket."""

from pathlib import PurePosixPath

from tilebox_celery.storage.archive import ArchiveLimits
from tilebox_celery.storage.client import DEFAULT_CACHE, PathLike, StorageClient
from tilebox_celery.storage.granule import Granule
from tilebox_celery.storage.listing import S3Listing
from tilebox_celery.storage.names import safe_path
from tilebox_celery.storage.remote import Product
from tilebox_celery.storage.retrying import RetryPolicy
from tilebox_celery.storage.s3 import Bucket, S3Source
from tilebox_celery.storage.transfer import Connections

PREFIX = "sar-data/tasks/"


class UmbraStorageClient(StorageClient):
    """Download SAR products from Umbra's open data catalog; no login is needed.

    A product lies in the cache under ``Umbra/<location>``, taken from the field `location`, such as
    ``Umbra/ad hoc/Yi_Sun_sin_Bridge_SK/<id>/2024-01-05-01-53-37_UMBRA-07``. Files larger than 64 MiB arrive
    in parallel pieces.

    Example:
        >>> UmbraStorageClient("data")
        UmbraStorageClient(cache_directory='data')
    """

    provider = "umbra"

    def __init__(
        self,
        cache_directory: PathLike | None = DEFAULT_CACHE,
        *,
        endpoint_url: str = "https://s3.us-west-2.amazonaws.com",
        bucket: str = "umbra-open-data-catalog",
        region: str = "us-west-2",
        max_concurrent: int = 8,
        retry: RetryPolicy | None = None,
    ) -> None:
        """Make a client; nothing is asked of the provider.

        Args:
            cache_directory: Where products are kept; None needs an `output_dir` in each call.
            endpoint_url: Of the S3 service.
            bucket: Name of the bucket.
            region: Of the S3 service.
            max_concurrent: Requests at the same time.
            retry: How often to try again.
        """
        place = Bucket("Umbra", bucket, endpoint_url, region, login_hint=" The object is not public.")
        self._source, self._bucket = S3Source(place, max_concurrent), bucket
        connections = Connections(max_concurrent, retry or RetryPolicy())
        super().__init__(self._source, connections, cache_directory, ArchiveLimits())

    def listing(self, path: str = "") -> S3Listing:
        """Return what lies below a path of the bucket, of which `datasets` can make datapoints.

        Args:
            path: Of a folder, such as ``sar-data/tasks/ad hoc``.
        """
        return S3Listing(self._source, self._engine.connections, path)

    def _product(self, granule: Granule) -> Product:
        text = granule.location(f"the bucket {self._bucket}", f"s3://{self._bucket}/").removeprefix(PREFIX)
        location = str(safe_path(text, "The location of the datapoint"))
        path = PurePosixPath("Umbra", location)
        return Product(path.name, path, lambda: self._source.list_files(PREFIX + location))
