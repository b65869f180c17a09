"""A download that is not wanted any more ends at once, however slow its provider is, and leaves nothing behind."""

import asyncio
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.storage.providers import Provider
from tests.storage.test_storage_conformance import contents, visible
from tests.storage.test_storage_processes import start
from tilebox_celery.storage import aio

STALLED = 1000.0
"""Bytes per second: one mebibyte takes a quarter of an hour, and the imitation sends 64 KiB at a time."""


def wait_for_request(provider: Provider) -> None:
    """Return once bytes of a file are on their way."""
    deadline = time.monotonic() + 30
    while not provider.log.data_requests():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)


def test_interrupt_ends_a_stalled_download(remote: Provider, tmp_path: Path) -> None:
    """Ctrl-C ends the process within moments although the provider has gone silent, and the next one takes over."""
    remote.log.bytes_per_second = STALLED
    process = start(remote, tmp_path / "data")
    wait_for_request(remote)
    begin = time.monotonic()

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=50)

    assert time.monotonic() - begin < 5
    assert process.returncode == -signal.SIGINT
    assert visible(tmp_path / "data") == []
    assert not list((tmp_path / "data/.tilebox").glob("*.lock"))
    remote.log.bytes_per_second = None
    assert contents(remote.client(tmp_path / "data").download(remote.datapoint)) == remote.files


def test_cancelled_task_leaves_no_thread(remote: Provider, tmp_path: Path) -> None:
    """A cancelled call of an async client lets its threads, its lock and its connections go within moments."""
    client = aio.StorageClient(remote.client(tmp_path / "data", max_concurrent=1))
    remote.log.bytes_per_second = STALLED

    async def use() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.download(remote.datapoint), timeout=1.5)
        remote.log.bytes_per_second = None
        path = await asyncio.wait_for(client.download(remote.datapoint), timeout=10)
        assert contents(path) == remote.files

    begin = time.monotonic()
    asyncio.run(use())

    assert time.monotonic() - begin < 8
    assert [each.name for each in threading.enumerate() if each.name.startswith("tilebox-download")] == []
    assert [path.suffix for path in (tmp_path / "data/.tilebox").iterdir()] == [".json"]


def test_failure_of_one_file_does_not_wait_for_the_others(copernicus: Provider, tmp_path: Path) -> None:
    """When one file of a product cannot be had, the error does not wait for those that stand still."""
    copernicus.s3.put_object(Bucket="eodata", Key=f"{copernicus.prefix}/AAA", Body=b"a" * (2 << 20))
    client = copernicus.client(tmp_path / "data", max_concurrent=4)
    copernicus.log.bytes_per_second = STALLED
    copernicus.log.refused = f"{copernicus.prefix}/manifest.safe"
    begin = time.monotonic()

    with pytest.raises(OSError, match="403"):
        client.download(copernicus.datapoint)

    assert time.monotonic() - begin < 5


def test_bytes_of_a_slow_connection_are_kept(remote: Provider, tmp_path: Path) -> None:
    """What has arrived before an interrupt is not asked for again, even if it is less than a mebibyte."""
    remote.log.bytes_per_second = 400e3
    process = start(remote, tmp_path / "data")
    wait_for_request(remote)
    time.sleep(1.2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=50)
    remote.log.bytes_per_second = None
    before = len(remote.log.data_requests())

    remote.client(tmp_path / "data").download(remote.datapoint)

    assert max(each.range_start for each in remote.log.data_requests()[before:]) >= 128 << 10
