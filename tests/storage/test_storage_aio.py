"""The async clients do what the others do, really at the same time, and let go when they are cancelled."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.storage.providers import Provider
from tests.storage.test_storage_conformance import contents
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.storage import aio


def wrapped(provider: Provider, cache: Path | None, **options: Any) -> aio.StorageClient:
    """Return an async client of a provider."""
    return aio.StorageClient(provider.client(cache, **options))


@pytest.mark.clause("d1.7-12")
def test_async_client_has_the_same_results(provider: Provider, tmp_path: Path) -> None:
    """Every method gives what the sync client gives."""
    client = wrapped(provider, tmp_path / "data")

    async def use() -> None:
        assert await client.list_objects(provider.datapoint) == provider.objects
        folder = await client.download_objects(provider.datapoint, provider.objects[:1])
        assert list(contents(folder)) == provider.objects[:1]
        path = await client.download(provider.datapoint)
        assert path == tmp_path / "data" / provider.path
        assert contents(path) == provider.files
        await client.delete(provider.datapoint)
        assert not path.exists()
        await client.download(provider.datapoint)
        await client.destroy_cache()
        assert not path.exists()
        with pytest.raises(NotFoundError):
            await client.download({"granule_name": "E2_00001_STD_F001", "location": "gone"})
        with pytest.raises(ArgumentError):
            await client.download([])

    asyncio.run(use())


@pytest.mark.clause("d1.7-12")
def test_clients_have_the_constructors_of_the_sync_ones(tmp_path: Path) -> None:
    """Names and arguments are the same, and no credentials are shown."""
    clients = [
        aio.CopernicusStorageClient("key", "s3cr3t", tmp_path),
        aio.ASFStorageClient("me", "s3cr3t", tmp_path),
        aio.UmbraStorageClient(tmp_path),
        aio.USGSLandsatStorageClient(tmp_path, access_key="key", secret_access_key="s3cr3t"),
        aio.LocalFileSystemStorageClient(tmp_path, tmp_path),
    ]

    assert [client.cache_directory for client in clients] == [tmp_path] * 5
    assert "s3cr3t" not in repr(clients)
    assert repr(clients[1]) == f"aio.ASFStorageClient(user='me', cache_directory='{tmp_path}')"


def test_downloads_overlap(umbra: Provider, tmp_path: Path) -> None:
    """Four products of a slow provider take about as long as one, and the loop goes on meanwhile."""
    for number in range(4):
        key = f"sar-data/tasks/slow/{number}/x.tif"
        umbra.s3.put_object(Bucket=umbra.bucket, Key=key, Body=b"x" * (1 << 20), ACL="public-read")
    client = wrapped(umbra, tmp_path / "data")
    umbra.log.bytes_per_second = 2e6
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    async def use() -> float:
        ticking = asyncio.create_task(tick())
        begin = time.monotonic()
        names = [{"granule_name": str(number), "location": f"slow/{number}"} for number in range(4)]
        paths = await asyncio.gather(*map(client.download, names))
        ticking.cancel()
        assert [path.name for path in paths] == ["0", "1", "2", "3"]
        return time.monotonic() - begin

    assert asyncio.run(use()) < 4 * 0.5 * 0.8
    assert umbra.log.most_in_flight == 4
    assert ticks > 10


def test_cancelled_download_stops_and_goes_on_later(umbra: Provider, tmp_path: Path) -> None:
    """A cancelled call ends its thread within moments, and the next one takes over what has arrived."""
    client = wrapped(umbra, tmp_path / "data")
    umbra.log.bytes_per_second = 1.5e6

    async def use() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.download(umbra.datapoint), timeout=1)
        umbra.log.bytes_per_second = None
        assert contents(await client.download(umbra.datapoint)) == umbra.files

    asyncio.run(use())

    assert any(each.range_start for each in umbra.log.data_requests())
