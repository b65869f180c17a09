"""What a cache hands out is whole, and what it removes is its own, whatever lies beside it."""

import resource
import threading
import time
from pathlib import Path

import pytest

from tests.storage.providers import Provider
from tests.storage.test_storage_conformance import contents
from tests.storage.test_storage_processes import in_fork
from tilebox_celery.errors import ArgumentError, StorageError
from tilebox_celery.storage import LocalFileSystemStorageClient

OUTER, INNER = {"location": "A"}, {"location": "A/B"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a product inside of a product."""
    root = tmp_path / "archive"
    (root / "A/B").mkdir(parents=True)
    (root / "A/f").write_bytes(b"1")
    (root / "A/B/g").write_bytes(b"2")
    return root


@pytest.mark.parametrize(("cache", "location"), [("archive", "A"), (".", "archive/A"), ("link", "A")])
def test_originals_are_never_removed(root: Path, tmp_path: Path, cache: str, location: str) -> None:
    """A cache that overlaps the root, also through a link, does not let delete() touch what was there before."""
    (tmp_path / "link").symlink_to(root)
    client = LocalFileSystemStorageClient(root, tmp_path / cache)
    before = contents(root)

    with pytest.raises(StorageError, match="was not put there by a client; it is not removed"):
        client.delete({"location": location})
    client.destroy_cache()

    assert contents(root) == before


def test_folder_with_products_is_no_product(root: Path, tmp_path: Path) -> None:
    """A folder in which only a smaller product lies is not handed out as the larger one, and not removed as such."""
    client = LocalFileSystemStorageClient(root, tmp_path / "data")
    client.download(INNER)

    for call in (client.download, client.delete):
        with pytest.raises(StorageError, match=r"data/A holds other products"):
            call(OUTER)

    assert contents(tmp_path / "data/A") == {"B/g": b"2"}
    client.delete(INNER)
    assert contents(client.download(OUTER)) == {"f": b"1", "B/g": b"2"}


def test_part_of_a_product_is_not_removed(root: Path, tmp_path: Path) -> None:
    """A product inside of another is handed out, but cannot be removed from it: the larger one stays whole."""
    client = LocalFileSystemStorageClient(root, tmp_path / "data")
    client.download(OUTER)

    assert contents(client.download(INNER)) == {"g": b"2"}
    with pytest.raises(StorageError, match="was not put there by a client; it is not removed"):
        client.delete(INNER)

    assert contents(client.download(OUTER)) == {"f": b"1", "B/g": b"2"}


@pytest.mark.parametrize("location", [".tilebox", ".tilebox/x", "A/.tilebox"])
def test_location_of_the_cache_itself_is_refused(provider: Provider, tmp_path: Path, location: str) -> None:
    """A datapoint cannot name the folder in which the cache keeps its locks and records."""
    field = "granule_name" if provider.name == "asf" else "location"
    client = provider.client(tmp_path / "data")
    client.download(provider.datapoint)

    for call in (client.download, client.delete):
        with pytest.raises((StorageError, ArgumentError), match=r"reserved|not one of ASF's"):
            call({**provider.datapoint, field: location})

    assert contents(client.download(provider.datapoint)) == provider.files


def test_removal_does_not_follow_links(root: Path, tmp_path: Path) -> None:
    """A folder of the cache that somebody has replaced by a link: what is at its other end stays."""
    client = LocalFileSystemStorageClient(root, tmp_path / "data")
    client.download(INNER)
    (tmp_path / "data/A").rename(tmp_path / "elsewhere")
    (tmp_path / "data/A").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageError, match="lies behind a link"):
        client.delete(INNER)
    with pytest.raises(StorageError, match="lies behind a link"):
        client.destroy_cache()

    assert contents(tmp_path / "elsewhere") == {"B/g": b"2"}


def test_link_in_place_of_a_product_is_removed_alone(root: Path, tmp_path: Path) -> None:
    """Where the product itself has become a link, only the link goes; a linked cache directory is none of that."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    client = LocalFileSystemStorageClient(root, tmp_path / "data")
    client.download(OUTER).rename(tmp_path / "elsewhere")
    (tmp_path / "data/A").symlink_to(tmp_path / "elsewhere")

    client.delete(OUTER)

    assert not (tmp_path / "data/A").is_symlink()
    assert contents(tmp_path / "elsewhere") == {"f": b"1", "B/g": b"2"}
    assert (tmp_path / "data").is_symlink()


def test_products_come_and_go_in_one_folder(root: Path, tmp_path: Path) -> None:
    """While one product is removed, its neighbour arrives in the folder that is being tidied away."""
    for name in ("x", "y"):
        (root / "P" / name).mkdir(parents=True)
        (root / "P" / name / "f").write_bytes(b"1")
    failures, end = list[BaseException](), time.monotonic() + 4

    def come_and_go(name: str) -> None:
        client = LocalFileSystemStorageClient(root, tmp_path / "data")
        try:
            while time.monotonic() < end:
                client.download({"location": f"P/{name}"})
                client.delete({"location": f"P/{name}"})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(name,)) for name in ("x", "y") for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_names_may_be_given_twice_but_not_left_out(root: Path, tmp_path: Path) -> None:
    """The same object twice is brought once; no object, and what is no text, are refused by name."""
    client = LocalFileSystemStorageClient(root, tmp_path / "data")

    assert contents(client.download_objects(OUTER, ["f", "f"])) == {"f": b"1"}
    for wrong, sentence in (([], "no name"), ([5], "not 5"), (None, "not None")):
        with pytest.raises(ArgumentError, match=sentence):
            client.download_objects(OUTER, wrong)  # type: ignore[arg-type]  # what a user may pass


def test_output_into_the_cache_is_part_of_the_cache(root: Path, tmp_path: Path) -> None:
    """output_dir may name the cache directory: what is put there can be removed as any other product."""
    client = LocalFileSystemStorageClient(root, tmp_path / "data")
    path = client.download(OUTER, output_dir=tmp_path / "data")

    client.delete(OUTER)

    assert not path.exists()


def test_disk_without_room_for_a_record_is_left_as_it_was(root: Path, tmp_path: Path) -> None:
    """When not even the record can be written, nothing of it is left."""
    client = LocalFileSystemStorageClient(root, tmp_path / "data")

    def download() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        with pytest.raises(StorageError, match="What had arrived was removed"):
            client.download(OUTER)

    assert in_fork(download) == "done"
    assert list(tmp_path.glob("data/**/*")) == []


def test_one_product_that_stays_keeps_no_other(root: Path, tmp_path: Path) -> None:
    """destroy_cache() removes all it can before it says what it could not."""
    (root / "Z").mkdir()
    (root / "Z/f").write_bytes(b"1")
    client = LocalFileSystemStorageClient(root, tmp_path / "data")
    for location in ("A/B", "Z"):
        client.download({"location": location})
    (tmp_path / "data/A").rename(tmp_path / "elsewhere")
    (tmp_path / "data/A").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageError, match="lies behind a link"):
        client.destroy_cache()

    assert not (tmp_path / "data/Z").exists()
