"""The client of USGS Landsat: scenes in an S3 bucket at AWS, whose requests the requester pays."""

import os
from pathlib import PurePosixPath

from tilebox_celery.storage.archive import ArchiveLimits
from tilebox_celery.storage.client import DEFAULT_CACHE, PathLike, StorageClient, credential
from tilebox_celery.storage.granule import Granule
from tilebox_celery.storage.names import safe_path
from tilebox_celery.storage.remote import Product
from tilebox_celery.storage.retrying import RetryPolicy
from tilebox_celery.storage.s3 import Bucket, S3Source
from tilebox_celery.storage.transfer import Connections

PROVIDER = "USGS Landsat (AWS)"
_HINT = (
    " Check access_key and secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: the requester pays, so "
    "an AWS account is needed whose policies allow s3:GetObject and s3:ListBucket."
)
_WEB = "https://landsatlook.usgs.gov/data/"
"""Serves the same objects under the same keys to browsers that are logged in; what the STAC items of USGS name."""


class USGSLandsatStorageClient(StorageClient):
    """Download Landsat scenes from the bucket of USGS, at the expense of your AWS account.

    A scene lies in the cache under ``USGSLandsat/<key>``, such as
    ``USGSLandsat/collection02/level-1/standard/oli-tirs/2024/089/090/<granule>``. The field `location` is an
    ``s3://usgs-landsat/...`` URL, or the one of landsatlook.usgs.gov in the STAC items of USGS.

    Example:
        >>> USGSLandsatStorageClient("data", access_key="key", secret_access_key="secret")
        USGSLandsatStorageClient(cache_directory='data')
    """

    provider = "usgs-landsat"

    def __init__(
        self,
        cache_directory: PathLike | None = DEFAULT_CACHE,
        *,
        access_key: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        endpoint_url: str = "https://s3.us-west-2.amazonaws.com",
        bucket: str = "usgs-landsat",
        region: str = "us-west-2",
        max_concurrent: int = 8,
        retry: RetryPolicy | None = None,
    ) -> None:
        """Make a client; nothing is asked of the provider.

        Args:
            cache_directory: Where products are kept; None needs an `output_dir` in each call.
            access_key: Key of an AWS account; else ``AWS_ACCESS_KEY_ID``.
            secret_access_key: Its secret; else ``AWS_SECRET_ACCESS_KEY``.
            session_token: Of keys that expire; else ``AWS_SESSION_TOKEN``, if the key is from the environment too.
            endpoint_url: Of the S3 service.
            bucket: Name of the bucket.
            region: Of the S3 service; transfers within it are free.
            max_concurrent: Requests at the same time.
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
            session_token=session_token or (os.environ.get("AWS_SESSION_TOKEN") if access_key is None else None),
            requester_pays=True,
            login_hint=_HINT,
        )
        self._source, self._bucket = S3Source(place, max_concurrent), bucket
        connections = Connections(max_concurrent, retry or RetryPolicy())
        super().__init__(self._source, connections, cache_directory, ArchiveLimits())

    def _product(self, granule: Granule) -> Product:
        key = granule.location(f"the bucket {self._bucket}", f"s3://{self._bucket}/", _WEB)
        key = str(safe_path(key, "The location of the datapoint"))
        path = PurePosixPath("USGSLandsat", key)
        return Product(path.name, path, lambda: self._source.list_files(key))
