"""The client of the Copernicus Data Space Ecosystem: Sentinel products in one large S3 bucket."""

from pathlib import PurePosixPath

from tilebox_celery.storage.archive import ArchiveLimits
from tilebox_celery.storage.client import DEFAULT_CACHE, PathLike, StorageClient, credential
from tilebox_celery.storage.granule import Granule
from tilebox_celery.storage.listing import S3Listing
from tilebox_celery.storage.names import safe_path
from tilebox_celery.storage.remote import Product
from tilebox_celery.storage.retrying import RetryPolicy
from tilebox_celery.storage.s3 import Bucket, S3Source
from tilebox_celery.storage.transfer import Connections

PROVIDER = "Copernicus Data Space"
_HINT = (
    " Check access_key and secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: keys expire, new ones "
    "are made at https://eodata-s3keysmanager.dataspace.copernicus.eu, and 403 also means that a quota is used up."
)


class CopernicusStorageClient(StorageClient):
    """Download Sentinel products from the Copernicus Data Space Ecosystem.

    A product lies in the cache under its path in the archive, such as
    ``Sentinel-2/MSI/L2A/2024/08/01/<granule>.SAFE``, taken from the field `location`.

    Example:
        >>> CopernicusStorageClient("key", "secret", "data")
        CopernicusStorageClient(cache_directory='data')
    """

    provider = "copernicus"

    def __init__(
        self,
        access_key: str | None = None,
        secret_access_key: str | None = None,
        cache_directory: PathLike | None = DEFAULT_CACHE,
        *,
        endpoint_url: str = "https://eodata.dataspace.copernicus.eu",
        bucket: str = "eodata",
        region: str = "default",
        max_concurrent: int = 4,
        retry: RetryPolicy | None = None,
    ) -> None:
        """Make a client; nothing is asked of the provider.

        Args:
            access_key: S3 key; else ``AWS_ACCESS_KEY_ID``.
            secret_access_key: Its secret; else ``AWS_SECRET_ACCESS_KEY``.
            cache_directory: Where products are kept; None needs an `output_dir` in each call.
            endpoint_url: Of the S3 service.
            bucket: Name of the bucket.
            region: Of the S3 service.
            max_concurrent: Requests at the same time; the free quota allows 4 for an account.
            retry: How often to try again.

        Raises:
            ArgumentError: A credential is missing.
        """
        place = Bucket(
            provider=PROVIDER,
            name=bucket,
            endpoint=endpoint_url,
            region=region,
            access_key=credential(access_key, "access_key", "AWS_ACCESS_KEY_ID", PROVIDER),
            secret_access_key=credential(secret_access_key, "secret_access_key", "AWS_SECRET_ACCESS_KEY", PROVIDER),
            login_hint=_HINT,
        )
        self._source, self._bucket = S3Source(place, max_concurrent), bucket
        connections = Connections(max_concurrent, retry or RetryPolicy())
        super().__init__(self._source, connections, cache_directory, ArchiveLimits())

    def listing(self, path: str = "") -> S3Listing:
        """Return what lies below a path of the bucket, of which `datasets` can make datapoints.

        Args:
            path: Of a folder, such as ``Sentinel-2/MSI/L2A/2024/08/01``.
        """
        return S3Listing(self._source, self._engine.connections, path)

    def _product(self, granule: Granule) -> Product:
        bucket = self._bucket
        location = granule.location(f"the bucket {bucket}", f"s3://{bucket}/", f"/{bucket}/")
        key = str(safe_path(location, "The location of the datapoint"))
        return Product(PurePosixPath(key).name, PurePosixPath(key), lambda: self._source.list_files(key))
