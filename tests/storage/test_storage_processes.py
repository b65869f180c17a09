"""Processes that are killed, that want the same product at once, or that the system refuses something."""

import errno
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.storage.providers import Provider
from tests.storage.test_storage_conformance import contents
from tilebox_celery.errors import StorageError, TileboxCeleryError
from tilebox_celery.storage import LocalFileSystemStorageClient
from tilebox_celery.storage.per_process import PerProcess

PROGRAM = """
import sys
from pathlib import Path
from tests.storage.providers import noting_often
from tilebox_celery.storage import *
cache, datapoint = Path(sys.argv[1]), eval(sys.argv[2])
print(noting_often({source}).download(datapoint), flush=True)
"""
ROOT = Path(__file__).resolve().parents[2]


def start(provider: Provider, cache: Path) -> "subprocess.Popen[str]":
    """Download in another process."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(source=provider.source), str(cache), repr(provider.datapoint)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_download_goes_on_where_it_ended(remote: Provider, tmp_path: Path) -> None:
    """After kill -9 in mid-download nothing is at the product's place, and the next process asks for the rest alone."""
    remote.log.bytes_per_second = 4e6
    process = start(remote, tmp_path / "data")
    deadline = time.monotonic() + 30
    while not large_part_is_noted(tmp_path / "data"):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "data" / remote.path).exists()
    before = len(remote.log.data_requests())
    remote.log.bytes_per_second = None

    path = remote.client(tmp_path / "data").download(remote.datapoint)

    assert contents(path) == remote.files
    later = remote.log.data_requests()[before:]
    assert max(each.range_start for each in later) >= 256 << 10
    assert [each.suffix for each in (tmp_path / "data/.tilebox").iterdir()] == [".json"]


def large_part_is_noted(cache: Path) -> bool:
    """Tell whether a sidecar speaks of bytes that a killed process would leave."""
    return any('"finished": false' in path.read_text() for path in cache.glob(".tilebox/*/parts/*.json"))


def test_two_processes_share_one_download(remote: Provider, tmp_path: Path) -> None:
    """Both return the product, and every byte was asked for once."""
    remote.log.bytes_per_second = 10e6

    processes = [start(remote, tmp_path / "data") for _ in range(2)]
    printed = [process.communicate(timeout=60)[0].strip() for process in processes]

    assert printed == [str(tmp_path / "data" / remote.path)] * 2
    assert set(Counter(each.path.partition("?")[0] for each in remote.log.data_requests()).values()) == {1}
    assert contents(tmp_path / "data" / remote.path) == remote.files


def test_threads_share_one_download(provider: Provider, tmp_path: Path) -> None:
    """So do the threads of one process, with clients of their own."""
    with ThreadPoolExecutor(4) as pool:
        clients = [provider.client(tmp_path / "data") for _ in range(4)]
        paths = list(pool.map(lambda client: client.download(provider.datapoint), clients))

    assert paths == [tmp_path / "data" / provider.path] * 4
    assert contents(paths[0]) == provider.files
    if provider.name != "local":
        assert set(Counter(each.path for each in provider.log.data_requests()).values()) == {1}


def test_client_may_be_used_after_a_fork(provider: Provider, tmp_path: Path) -> None:
    """A prefork worker inherits a client that was in use: connections and locks are its own all the same."""
    client = provider.client(tmp_path / "data")
    client.download(provider.datapoint)

    assert in_fork(lambda: client.download(provider.datapoint, output_dir=tmp_path / "out")) == "done"

    assert contents(tmp_path / "out" / provider.path) == provider.files


def test_each_process_has_values_of_its_own() -> None:
    """A fork never uses what was made before it, not even while a thread of the parent is making it."""
    owner: PerProcess[int] = PerProcess(os.getpid)
    assert owner.get() == os.getpid()

    def child() -> None:
        assert owner.get() == os.getpid()

    with owner._lock:
        assert in_fork(child) == "done"


def test_downloads_of_one_client_share_its_connections(umbra: Provider, tmp_path: Path) -> None:
    """However many products are downloaded at once, a client never asks more than max_concurrent at a time."""
    client = umbra.client(tmp_path / "data", max_concurrent=2)
    umbra.log.bytes_per_second = 20e6

    with ThreadPoolExecutor(4) as pool:
        folders = [tmp_path / str(number) for number in range(4)]
        list(pool.map(lambda folder: client.download(umbra.datapoint, output_dir=folder), folders))

    assert umbra.log.most_in_flight == 2


def test_full_disk_is_one_sentence_and_leaves_nothing(provider: Provider, tmp_path: Path) -> None:
    """When no more can be written the error says so with the system's number, and what had arrived is removed."""
    client = provider.client(tmp_path / "data")

    def download() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        with pytest.raises(
            StorageError, match=r"was not stored in .*: File too large\. What had arrived was removed"
        ) as e:
            client.download(provider.datapoint)
        assert e.value.errno == errno.EFBIG

    assert in_fork(download) == "done"
    assert [path for path in contents(tmp_path / "data") if not path.endswith(".json")] == []
    assert contents(client.download(provider.datapoint)) == provider.files  # once there is room again


def test_product_that_cannot_fit_is_not_begun(tmp_path: Path) -> None:
    """A product larger than the free space is refused before its first byte is read."""
    path = tmp_path / "archive/scene/band"
    path.parent.mkdir(parents=True)
    path.touch()
    os.truncate(path, shutil.disk_usage(tmp_path).free + (1 << 30))  # a hole, which takes no room
    client = LocalFileSystemStorageClient(tmp_path / "archive", tmp_path / "data")

    with pytest.raises(StorageError, match=r"needs \d+ bytes more, but .* has only \d+ bytes free"):
        client.download({"location": "scene"})

    assert not list((tmp_path / "data").rglob("*.part"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_missing_permission_is_one_sentence(provider: Provider, tmp_path: Path) -> None:
    """A cache directory that belongs to somebody else is refused with its name."""
    cache = Path("/root") if provider.name == "local" else tmp_path
    client = provider.client(cache / "data")
    provider.client(tmp_path / "warm").download(provider.datapoint)  # loads all modules while we are root

    def download() -> None:
        os.setuid(65534)
        with pytest.raises(TileboxCeleryError, match=r"Permission denied\.$"):
            client.download(provider.datapoint)

    assert in_fork(download) == "done"
    assert not (cache / "data").exists()


def in_fork(call: Callable[[], object]) -> str:
    """Run a call in a forked process and return 'done', or what went wrong."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def child() -> None:
        try:
            call()
            sender.send("done")
        except BaseException as error:
            sender.send(repr(error))

    process = context.Process(target=child)
    process.start()
    sender.close()
    try:
        return str(receiver.recv()) if receiver.poll(60) else "no answer"
    finally:
        process.kill()
        process.join()
