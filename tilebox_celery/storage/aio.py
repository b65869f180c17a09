"""The storage clients for asyncio: each call runs in a thread, so that downloads really overlap.

The calls are those of the clients in `tilebox_celery.storage`, in threads of the event loop's default executor; that
bounds how many run at once (`min(32, cores + 4)`, unless `loop.set_default_executor` says otherwise). All downloads of
one client share its `max_concurrent` connections. A call that is cancelled stops at its next chunk of data, and what
has arrived is kept for the next one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tilebox_celery import storage
from tilebox_celery.storage.archive import ArchiveLimits
from tilebox_celery.storage.asf import TRUSTED
from tilebox_celery.storage.asset_access import AssetAccessPolicy, ResolvedAsset
from tilebox_celery.storage.asset_client import Client
from tilebox_celery.storage.client import DEFAULT_CACHE, PathLike
from tilebox_celery.storage.retrying import RetryPolicy
from tilebox_celery.storage.threads import in_thread

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "ASFStorageClient",
    "AssetAccessPolicy",
    "Client",
    "CopernicusStorageClient",
    "LocalFileSystemStorageClient",
    "ResolvedAsset",
    "StorageClient",
    "USGSLandsatStorageClient",
    "UmbraStorageClient",
]


class StorageClient:
    """Await the methods of a storage client; arguments, results and errors are the same."""

    def __init__(self, client: storage.StorageClient) -> None:
        """Name the client that does the work."""
        self._client = client

    @property
    def cache_directory(self) -> Path | None:
        """Where products are kept."""
        return self._client.cache_directory

    async def download(
        self, datapoint: Any, output_dir: PathLike | None = None, extract: bool = True, show_progress: bool = False
    ) -> Path:
        """Download the product of a datapoint; see `tilebox_celery.storage.StorageClient.download`."""
        return await in_thread(lambda: self._client.download(datapoint, output_dir, extract, show_progress))

    async def list_objects(self, datapoint: Any) -> list[str]:
        """Return the names of the files of a product; see `tilebox_celery.storage.StorageClient.list_objects`."""
        return await in_thread(lambda: self._client.list_objects(datapoint))

    async def download_objects(
        self, datapoint: Any, objects: Sequence[str], output_dir: PathLike | None = None, show_progress: bool = False
    ) -> Path:
        """Download some files of a product; see `tilebox_celery.storage.StorageClient.download_objects`."""
        return await in_thread(lambda: self._client.download_objects(datapoint, objects, output_dir, show_progress))

    async def quicklook(self, datapoint: Any, width: int = 600, height: int = 600) -> "Image":
        """Return the quicklook as a Pillow image; see `tilebox_celery.storage.StorageClient.quicklook`."""
        return await in_thread(lambda: self._client.quicklook(datapoint, width, height))

    async def download_quicklook(self, datapoint: Any, output_dir: PathLike | None = None) -> Path:
        """Download the quicklook; see `tilebox_celery.storage.StorageClient.download_quicklook`."""
        return await in_thread(lambda: self._client.download_quicklook(datapoint, output_dir))

    async def delete(self, datapoint: Any) -> None:
        """Remove a product from the cache; see `tilebox_celery.storage.StorageClient.delete`."""
        await in_thread(lambda: self._client.delete(datapoint))

    async def destroy_cache(self) -> None:
        """Remove all products from the cache; see `tilebox_celery.storage.StorageClient.destroy_cache`."""
        await in_thread(self._client.destroy_cache)

    def __repr__(self) -> str:
        """Return what may be seen: no credentials."""
        return f"aio.{self._client!r}"


class CopernicusStorageClient(StorageClient):
    """See `tilebox_celery.storage.CopernicusStorageClient`."""

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
        """Make a client; nothing is asked of the provider."""
        super().__init__(
            storage.CopernicusStorageClient(
                access_key,
                secret_access_key,
                cache_directory,
                endpoint_url=endpoint_url,
                bucket=bucket,
                region=region,
                max_concurrent=max_concurrent,
                retry=retry,
            )
        )


class ASFStorageClient(StorageClient):
    """See `tilebox_celery.storage.ASFStorageClient`."""

    def __init__(
        self,
        user: str | None = None,
        password: str | None = None,
        cache_directory: PathLike | None = DEFAULT_CACHE,
        *,
        data_url: str = "https://datapool.asf.alaska.edu",
        login_url: str = "https://urs.earthdata.nasa.gov",
        trusted_hosts: tuple[str, ...] = TRUSTED,
        max_concurrent: int = 2,
        retry: RetryPolicy | None = None,
        limits: ArchiveLimits | None = None,
    ) -> None:
        """Make a client; nothing is asked of the provider."""
        super().__init__(
            storage.ASFStorageClient(
                user,
                password,
                cache_directory,
                data_url=data_url,
                login_url=login_url,
                trusted_hosts=trusted_hosts,
                max_concurrent=max_concurrent,
                retry=retry,
                limits=limits,
            )
        )


class UmbraStorageClient(StorageClient):
    """See `tilebox_celery.storage.UmbraStorageClient`."""

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
        """Make a client; nothing is asked of the provider."""
        super().__init__(
            storage.UmbraStorageClient(
                cache_directory,
                endpoint_url=endpoint_url,
                bucket=bucket,
                region=region,
                max_concurrent=max_concurrent,
                retry=retry,
            )
        )


class USGSLandsatStorageClient(StorageClient):
    """See `tilebox_celery.storage.USGSLandsatStorageClient`."""

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
        """Make a client; nothing is asked of the provider."""
        super().__init__(
            storage.USGSLandsatStorageClient(
                cache_directory,
                access_key=access_key,
                secret_access_key=secret_access_key,
                session_token=session_token,
                endpoint_url=endpoint_url,
                bucket=bucket,
                region=region,
                max_concurrent=max_concurrent,
                retry=retry,
            )
        )


class LocalFileSystemStorageClient(StorageClient):
    """See `tilebox_celery.storage.LocalFileSystemStorageClient`."""

    def __init__(self, root: PathLike, cache_directory: PathLike | None = None) -> None:
        """Name the folder with the products."""
        super().__init__(storage.LocalFileSystemStorageClient(root, cache_directory))
