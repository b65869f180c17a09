"""The client of the Alaska Satellite Facility: ERS SAR products behind Earthdata Login."""

import re
from pathlib import PurePosixPath

from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.storage.archive import ArchiveLimits
from tilebox_celery.storage.client import DEFAULT_CACHE, PathLike, StorageClient, credential
from tilebox_celery.storage.earthdata import EarthdataSession, Login
from tilebox_celery.storage.granule import Granule
from tilebox_celery.storage.http import HttpSource
from tilebox_celery.storage.names import safe_path
from tilebox_celery.storage.remote import Product, RemoteFile
from tilebox_celery.storage.retrying import RetryPolicy
from tilebox_celery.storage.transfer import Connections

PROVIDER = "ASF (Earthdata Login)"
TRUSTED = (".asf.alaska.edu", ".earthdata.nasa.gov", ".earthdatacloud.nasa.gov", ".cloudfront.net", ".amazonaws.com")
"""Hosts to which the data host may lead; only the login host gets the password."""
_GRANULE = re.compile(r"(?P<platform>[A-Za-z0-9]+)_\w*STD_\w+")
_LEVEL = "L0"
_URL = re.compile(r"https?://[^/\s]+")
_MD5 = re.compile(r"[0-9a-fA-F]{32}")


class ASFStorageClient(StorageClient):
    """Download ERS SAR products from the Alaska Satellite Facility.

    A product lies in the cache under ``ASF/E2_71629_STD_F183/E2_71629_STD_L0_F183``, its archive beside it if it was
    asked for with ``extract=False``. Size and checksum of the archive are those of the fields `file_size` and `md5sum`.

    Example:
        >>> ASFStorageClient("me", "secret", "data")
        ASFStorageClient(user='me', cache_directory='data')
    """

    provider = "asf"

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
        """Make a client; nothing is asked of the provider.

        Args:
            user: Name of the Earthdata account; else ``EARTHDATA_USERNAME``.
            password: Its password; else ``EARTHDATA_PASSWORD``.
            cache_directory: Where products are kept; None needs an `output_dir` in each call.
            data_url: Where the files are asked for.
            login_url: The only address that gets the password.
            trusted_hosts: Host names, or suffixes that begin with a dot, to which redirects may lead.
            max_concurrent: Requests at the same time.
            retry: How often to try again.
            limits: How large an archive may be, unpacked.

        Raises:
            ArgumentError: A credential is missing, or an argument cannot be used.
        """
        for argument, url in (("data_url", data_url), ("login_url", login_url)):
            if not _URL.match(url):
                raise ArgumentError(f"The {argument} {url!r} is no URL.")
        login = Login(
            user=credential(user, "user", "EARTHDATA_USERNAME", PROVIDER),
            password=credential(password, "password", "EARTHDATA_PASSWORD", PROVIDER),
            url=login_url,
            trusted=trusted_hosts,
        )
        self.user, self._data_url = login.user, data_url.rstrip("/")
        connections = Connections(max_concurrent, retry or RetryPolicy(), segment_bytes=None)
        source = HttpSource(EarthdataSession(login).get)
        super().__init__(source, connections, cache_directory, limits or ArchiveLimits())

    def _product(self, granule: Granule) -> Product:
        name, platform = _parse(granule)
        file_name = name.replace("STD_", f"STD_{_LEVEL}_")
        md5 = granule.optional_text("md5sum")
        if md5 is not None and not _MD5.fullmatch(md5):
            raise ArgumentError(f"The 'md5sum' of {name} is {md5!r}, but must have 32 hexadecimal digits.")
        file = RemoteFile(
            name="",
            key=f"{self._data_url}/{_LEVEL}/{platform}/{file_name}.zip",
            size=granule.optional_size("file_size"),
            md5=md5,
            magic=b"PK",
        )
        folder = PurePosixPath("ASF", name)
        return Product(name, folder / file_name, lambda: [file], archive=folder / f"{file_name}.zip")

    def _quicklook_product(self, granule: Granule) -> Product:
        name, platform = _parse(granule)
        if granule.value("quicklook_available") is False:
            raise NotFoundError(f"{name} has no quicklook.")
        file = RemoteFile(f"{name}.jpg", f"{self._data_url}/BROWSE/{platform}/{name}.jpg", magic=b"\xff\xd8\xff")
        return Product(name, self._product(granule).path, lambda: [file])

    def __repr__(self) -> str:
        """Return what may be seen: the user, not the password."""
        return super().__repr__().replace("(", f"(user={self.user!r}, ", 1)


def _parse(granule: Granule) -> tuple[str, str]:
    name = str(safe_path(granule.name, "The granule name of the datapoint"))
    match = _GRANULE.fullmatch(name)
    if match is None:
        raise ArgumentError(f"The granule name {name!r} is not one of ASF's ERS products, such as E2_71629_STD_F183.")
    return name, match["platform"]
