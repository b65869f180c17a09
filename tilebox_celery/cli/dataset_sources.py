"""What ``dataset ingest`` reads: files, URLs of STAC, and the storage of providers as their storage clients list it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tilebox_celery.errors import ArgumentError

if TYPE_CHECKING:
    from tilebox_celery.datasets.listing import Listing

_S3 = "s3://"


def open_source(slug: str, source: str, endpoint_url: str | None = None) -> Any:
    """Return what can be ingested: a URL, a path, or a listing.

    Args:
        slug: Of the dataset, which knows its provider.
        source: As typed: a file, a folder, an http(s) URL, or an S3 URL.
        endpoint_url: Of the S3 service, where it is not the provider's.

    Raises:
        ArgumentError: There is no such file, the dataset is made of no listing, or a credential is missing.
    """
    from tilebox_celery.datasets.sync.open_data import is_open_dataset

    if source.lower().startswith(("http://", "https://")):
        return source
    is_s3, path = source.lower().startswith(_S3), Path(source)
    if not is_s3 and not path.is_dir():
        if not path.is_file():
            raise ArgumentError(f"{source} cannot be read: there is no such file.")
        return path
    if not is_open_dataset(slug):
        raise ArgumentError(
            f"{source} cannot be read: only datasets of open data, such as open_data.umbra.sar, are listed."
        )
    if is_s3:
        return _bucket_listing(slug, source, endpoint_url)
    from tilebox_celery.storage import LocalFileSystemStorageClient

    return LocalFileSystemStorageClient(path).listing()


def is_listing(source: Any) -> bool:
    """Tell whether a source has many products of several collections, of which some may be of no use."""
    from tilebox_celery.datasets.listing import Listing

    return isinstance(source, Listing)


def _bucket_listing(slug: str, source: str, endpoint_url: str | None) -> "Listing":
    from tilebox_celery.storage import CopernicusStorageClient, UmbraStorageClient

    bucket, _, path = source[len(_S3) :].partition("/")
    if not bucket:
        raise ArgumentError(f"{source} cannot be read: an S3 URL is s3://BUCKET/PATH.")
    options: dict[str, Any] = {"bucket": bucket} | ({} if endpoint_url is None else {"endpoint_url": endpoint_url})
    if slug.startswith("open_data.umbra."):
        return UmbraStorageClient(None, **options).listing(path)
    if not slug.startswith("open_data.copernicus.sentinel"):
        raise ArgumentError(
            f"{slug} cannot be made of the names in a bucket{_reason(slug)}: "
            f"give a file, or a URL such as {_search_url(slug)}"
        )
    return CopernicusStorageClient(cache_directory=None, **options).listing(path)


def _reason(slug: str) -> str:
    return ", which have no time of day" if "landsat" in slug else ""


def _search_url(slug: str) -> str:
    from tilebox_celery.datasets.open_data import find_open_dataset

    return find_open_dataset(slug).listing_url
