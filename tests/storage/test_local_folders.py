"""Folders of this machine as a source: nothing of a product is left out in silence."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.storage.test_storage_conformance import contents
from tests.storage.test_storage_processes import in_fork
from tilebox_celery.errors import NotFoundError, StorageError
from tilebox_celery.storage import LocalFileSystemStorageClient
from tilebox_celery.storage.granule import read_granule
from tilebox_celery.storage.remote import Changed, RemoteFile

SCENE = {"granule_name": "scene", "location": "scene"}
only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may read, as those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def root(folder: Path) -> Path:
    """A folder with a product."""
    root = folder / "archive"
    (root / "scene/sub").mkdir(parents=True)
    (root / "scene/sub/band").write_bytes(b"1")
    return root


@pytest.fixture
def client(root: Path, folder: Path) -> LocalFileSystemStorageClient:
    """A client that copies into a folder in which everybody may write."""
    (folder / "out").mkdir()
    (folder / "out").chmod(0o777)
    return LocalFileSystemStorageClient(root, folder / "out/data")


def as_nobody(call: Callable[[], object]) -> str:
    """Run a call without the rights of root."""

    def child() -> None:
        os.setuid(65534)
        call()

    return in_fork(child)


@only_root
@pytest.mark.parametrize("blocked", ["scene/sub", "scene", "."])
def test_folder_that_cannot_be_read_is_told(client: LocalFileSystemStorageClient, root: Path, blocked: str) -> None:
    """A product of which a folder may not be read is refused with its name; it is not copied without that folder."""
    (root / blocked).chmod(0o700)
    bare = LocalFileSystemStorageClient(root)

    def use() -> None:
        for call in (client.list_objects, client.download, bare.list_objects, bare.download, bare.download_quicklook):
            with pytest.raises(StorageError, match=r"/archive.* cannot be read: Permission denied\.$"):
                call(SCENE)

    assert as_nobody(use) == "done"
    assert not client.cache_directory.joinpath("scene").exists()  # type: ignore[union-attr]  # it has one


def test_linked_folder_is_told(client: LocalFileSystemStorageClient, root: Path, folder: Path) -> None:
    """A link to a folder is refused with its name, wherever it leads: its files would be missing from the copy."""
    (root / "shared").mkdir()
    (root / "scene/link").symlink_to(root / "shared")

    with pytest.raises(StorageError, match=r"scene/link is no file .* links"):
        client.download(SCENE)

    assert not (folder / "out/data/scene").exists()


def test_folder_without_a_file_is_no_product(client: LocalFileSystemStorageClient, root: Path) -> None:
    """A folder in which no file lies is not found, with a cache and without."""
    (root / "empty/sub").mkdir(parents=True)

    for each in (client, LocalFileSystemStorageClient(root)):
        with pytest.raises(NotFoundError, match="has no file below 'empty'"):
            each.download({"location": "empty"})


def test_file_that_is_written_while_it_is_copied_is_noticed(root: Path) -> None:
    """What is read while somebody writes is no copy of either version."""
    path = root / "scene/sub/band"
    path.write_bytes(b"a" * (3 << 20))
    client = LocalFileSystemStorageClient(root)
    product = client._product(read_granule(SCENE))
    file: RemoteFile = product.list_files()[0]

    with (
        pytest.raises(Changed, match="replaced meanwhile"),
        client._engine.source.open(file, 0, file.size, file.version) as body,
    ):
        next(body.chunks)
        path.write_bytes(b"b" * (3 << 20))
        for _ in body.chunks:
            pass


@only_root
def test_cache_of_somebody_else_is_used_as_far_as_it_may_be_read(root: Path, folder: Path) -> None:
    """What is complete is handed out, also beside what a killed process has left; all else is one sentence."""
    client = LocalFileSystemStorageClient(root, folder / "data")
    client.download(SCENE)
    record = next((folder / "data/.tilebox").iterdir())
    record.with_suffix("").mkdir()

    def use() -> None:
        assert contents(client.download(SCENE)) == {"sub/band": b"1"}
        for call in (lambda: client.delete(SCENE), client.destroy_cache):
            with pytest.raises(StorageError, match=r"Permission denied\.$"):
                call()

    assert as_nobody(use) == "done"
    assert contents(folder / "data/scene") == {"sub/band": b"1"}


@only_root
def test_cache_that_may_not_be_entered_is_one_sentence(root: Path, folder: Path) -> None:
    """Every call says whose folder it is that denies the permission."""
    client = LocalFileSystemStorageClient(root, folder / "data")
    client.download(SCENE)
    (folder / "data").chmod(0o700)

    def use() -> None:
        calls: list[Callable[[], object]] = [
            lambda: client.download(SCENE),
            lambda: client.download_objects(SCENE, ["sub/band"]),
            lambda: client.delete(SCENE),
            client.destroy_cache,
        ]
        for call in calls:
            with pytest.raises(StorageError, match=r"/data.*Permission denied\.$"):
                call()

    assert as_nobody(use) == "done"
