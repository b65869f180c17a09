"""Each provider with its real server, one product on it, and a client; what the shared suite runs over."""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3

from tests.storage.earthdata_imitation import PASSWORD, USER, Earthdata, earthdata_hosts
from tests.storage.faulty_server import Log, S3Proxy, serving
from tilebox_celery.storage import (
    ASFStorageClient,
    CopernicusStorageClient,
    LocalFileSystemStorageClient,
    RetryPolicy,
    StorageClient,
    UmbraStorageClient,
    USGSLandsatStorageClient,
    aio,
)

EAGER = RetryPolicy(attempts=3, first_delay=timedelta(milliseconds=10), longest_retry_after=timedelta(seconds=5))
SAFE = "S2A_MSIL2A_20240801T002611_N0511_R102_T58WET_20240819T170544.SAFE"
SENTINEL = f"Sentinel-2/MSI/L2A/2024/08/01/{SAFE}"
UMBRA = "ad hoc/Yi_Sun_sin_Bridge_SK/6cf02931-ca2e-4744-b389-4844ddc701cd/2024-01-05-01-53-37_UMBRA-07"
ASF = "E2_71629_STD_F183"
SCENE = "LC08_L1TP_089090_20240417_20240423_02_T1"
LANDSAT = f"collection02/level-1/standard/oli-tirs/2024/089/090/{SCENE}"
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb0043000302020202020302020203030303040604040404")
FILES = {"manifest.safe": b"<xml/>", "GRANULE/IMG/B02.jp2": os.urandom(3 << 20), "HTML/index.txt": b"x" * 2000}


@dataclass
class Provider:
    """One provider as a test sees it."""

    name: str
    path: str
    """Where the documents print the product, below the cache."""
    datapoint: dict[str, Any]
    make: Any
    """Makes a client of a cache directory; keywords go to its class."""
    source: str
    """Python that makes the same client in another process, with `cache` as a variable."""
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    log: Log = field(default_factory=Log)
    objects: list[str] = field(default_factory=lambda: sorted(FILES))
    earthdata: Earthdata | None = None
    s3: Any = None
    bucket: str = ""
    prefix: str = ""

    def client(self, cache: Path | None, **options: Any) -> Any:
        """Return a client that tries again quickly, and notes its progress often."""
        return noting_often(self.make(cache, **options))


def noting_often(client: Any) -> Any:
    """Let a client write its sidecar after each mebibyte, so that small files show what large ones do."""
    inner: StorageClient = client._client if isinstance(client, aio.StorageClient) else client
    connections = replace(inner._engine.connections, checkpoint_bytes=256 << 10)
    inner._engine = replace(inner._engine, connections=connections)
    return client


def archive_of(files: dict[str, bytes], folder: str) -> bytes:
    """Return a zip with the files below a folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(f"{folder}/{name}", content)
    return buffer.getvalue()


@contextmanager
def copernicus(s3: Any, moto_url: str, _: Path) -> Iterator[Provider]:
    """The Copernicus Data Space, with markers of folders and a neighbour that has the product's name as a prefix."""
    keys = {f"{SENTINEL}/{name}": content for name, content in FILES.items()}
    markers = {f"{SENTINEL}/": b"", f"{SENTINEL}/HTML": b"", f"{SENTINEL}_OTHER/x": b"other"}
    with _s3_provider(s3, moto_url, "eodata", keys | markers, public=False) as (url, log):
        arguments = {"endpoint_url": url, "retry": EAGER, "region": "us-east-1"}
        yield Provider(
            name="copernicus",
            path=SENTINEL,
            datapoint={"granule_name": SAFE, "location": f"/eodata/{SENTINEL}", "time": "2024-08-01"},
            make=lambda cache, **options: CopernicusStorageClient("key", "s3cr3t", cache, **(arguments | options)),
            source=f"CopernicusStorageClient('key', 's3cr3t', cache, endpoint_url={url!r}, region='us-east-1')",
            log=log,
            s3=s3,
            bucket="eodata",
            prefix=SENTINEL,
        )


@contextmanager
def umbra(s3: Any, moto_url: str, _: Path) -> Iterator[Provider]:
    """Umbra's public bucket, with blanks in its keys."""
    keys = {f"sar-data/tasks/{UMBRA}/{name}": content for name, content in FILES.items()}
    with _s3_provider(s3, moto_url, "umbra-open-data-catalog", keys, public=True) as (url, log):
        arguments = {"endpoint_url": url, "retry": EAGER}
        yield Provider(
            name="umbra",
            path=f"Umbra/{UMBRA}",
            datapoint={"granule_name": UMBRA.rpartition("/")[2], "location": UMBRA},
            make=lambda cache, **options: UmbraStorageClient(cache, **(arguments | options)),
            source=f"UmbraStorageClient(cache, endpoint_url={url!r})",
            log=log,
            s3=s3,
            bucket="umbra-open-data-catalog",
            prefix=f"sar-data/tasks/{UMBRA}",
        )


@contextmanager
def landsat(s3: Any, moto_url: str, _: Path) -> Iterator[Provider]:
    """The bucket of USGS, with a neighbour that has the scene's name as a prefix."""
    keys = {f"{LANDSAT}/{name}": content for name, content in FILES.items()} | {f"{LANDSAT}_OTHER/x": b"other"}
    with _s3_provider(s3, moto_url, "usgs-landsat", keys, public=False) as (url, log):
        arguments = {"access_key": "key", "secret_access_key": "s3cr3t", "endpoint_url": url, "retry": EAGER}
        yield Provider(
            name="landsat",
            path=f"USGSLandsat/{LANDSAT}",
            datapoint={"granule_name": SCENE, "location": f"s3://usgs-landsat/{LANDSAT}/"},
            make=lambda cache, **options: USGSLandsatStorageClient(cache, **(arguments | options)),
            source=f"USGSLandsatStorageClient(cache, **{arguments | {'retry': None}!r})",
            log=log,
            s3=s3,
            bucket="usgs-landsat",
            prefix=LANDSAT,
        )


@contextmanager
def asf(_: Any, __: str, ___: Path) -> Iterator[Provider]:
    """ASF, which hands out one archive."""
    with earthdata_hosts() as hosts:
        body = archive_of(FILES, "E2_71629_STD_L0_F183")
        hosts.files["/L0/E2/E2_71629_STD_L0_F183.zip"] = body
        hosts.files[f"/BROWSE/E2/{ASF}.jpg"] = JPEG
        arguments = {
            "data_url": hosts.data_url,
            "login_url": hosts.login_url,
            "trusted_hosts": ("127.0.0.3",),
        }
        yield Provider(
            name="asf",
            path=f"ASF/{ASF}/E2_71629_STD_L0_F183",
            datapoint={"granule_name": ASF, "file_size": len(body), "md5sum": hashlib.md5(body).hexdigest()},
            make=lambda cache, **options: ASFStorageClient(
                USER, PASSWORD, cache, **(arguments | {"retry": EAGER} | options)
            ),
            source=f"ASFStorageClient({USER!r}, {PASSWORD!r}, cache, **{arguments!r})",
            log=hosts.log,
            objects=["E2_71629_STD_L0_F183.zip"],
            earthdata=hosts,
        )


@contextmanager
def local(_: Any, __: str, folder: Path) -> Iterator[Provider]:
    """A folder of this machine."""
    root = folder / "archive"
    for name, content in FILES.items():
        path = root / SENTINEL / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    yield Provider(
        name="local",
        path=SENTINEL,
        datapoint={"granule_name": SAFE, "location": SENTINEL},
        make=lambda cache: LocalFileSystemStorageClient(root, cache),
        source=f"LocalFileSystemStorageClient({str(root)!r}, cache)",
    )


PROVIDERS = {"copernicus": copernicus, "umbra": umbra, "landsat": landsat, "asf": asf, "local": local}


def s3_client(url: str) -> Any:
    """Return a client with the rights of the provider."""
    return boto3.session.Session().client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="owner", aws_secret_access_key="owner"
    )


@contextmanager
def _s3_provider(
    s3: Any, moto_url: str, bucket: str, keys: dict[str, bytes], public: bool
) -> Iterator[tuple[str, Log]]:
    s3.create_bucket(Bucket=bucket)
    for key, content in keys.items():
        s3.put_object(Bucket=bucket, Key=key, Body=content, ACL="public-read" if public else "private")
    log = Log()
    with serving(type("Proxy", (S3Proxy,), {"upstream": moto_url}), log, "s3") as url:
        try:
            yield url, log
        finally:
            for each in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=each["Key"])
            s3.delete_bucket(Bucket=bucket)
