"""Storage clients travel to other processes, and take no secret with them."""

import multiprocessing
import pickle
from pathlib import Path

import pytest

from tilebox_celery.errors import ArgumentError
from tilebox_celery.storage import (
    ASFStorageClient,
    CopernicusStorageClient,
    LocalFileSystemStorageClient,
    UmbraStorageClient,
    aio,
)


def test_a_spawned_process_downloads_with_a_client_that_was_sent(tmp_path: Path) -> None:
    """Into the same cache."""
    (tmp_path / "archive/a.SAFE").mkdir(parents=True)
    (tmp_path / "archive/a.SAFE/manifest.safe").write_text("<xml/>")
    client = LocalFileSystemStorageClient(tmp_path / "archive", cache_directory=tmp_path / "data")

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        path = pool.apply(client.download, [{"granule_name": "a.SAFE", "location": "a.SAFE"}])

    assert (path, (path / "manifest.safe").read_text()) == (tmp_path / "data/a.SAFE", "<xml/>")


def test_a_login_of_variables_is_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The pickle has none of it, and the copy says what is missing where it arrives."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k3y")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")

    pickled = pickle.dumps(CopernicusStorageClient(cache_directory=tmp_path))

    assert b"s3cr3t" not in pickled
    assert pickle.loads(pickled).cache_directory == tmp_path
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ArgumentError, match="set AWS_SECRET_ACCESS_KEY"):
        pickle.loads(pickled)


@pytest.mark.parametrize(
    "client",
    [CopernicusStorageClient("k3y", "s3cr3t"), ASFStorageClient("me", "s3cr3t"), aio.ASFStorageClient("me", "x")],
)
def test_a_secret_that_was_passed_is_in_no_pickle(client: object) -> None:
    """One sentence says what to do instead."""
    with pytest.raises(TypeError, match=r"cannot be pickled, since the pickle would hold it: set the variables"):
        pickle.dumps(client)


def test_clients_without_a_login_are_pickled(tmp_path: Path) -> None:
    """The synchronous, the asynchronous, and that of single assets."""
    for client in (UmbraStorageClient(tmp_path), aio.UmbraStorageClient(tmp_path), aio.Client(local_root=tmp_path)):
        assert repr(pickle.loads(pickle.dumps(client))) == repr(client)
