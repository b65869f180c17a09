"""What single providers and small parts promise beside the shared suite."""

import doctest
import importlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from PIL import Image

from tests.storage.providers import EAGER, Provider
from tests.storage.test_storage_conformance import contents
from tilebox_celery.errors import ArgumentError, NotFoundError, StorageError
from tilebox_celery.storage import (
    ASFStorageClient,
    CopernicusStorageClient,
    LocalFileSystemStorageClient,
    UmbraStorageClient,
)
from tilebox_celery.storage.granule import read_granule
from tilebox_celery.storage.remote import Interrupted
from tilebox_celery.storage.retrying import retry_after

EXAMPLES = [
    "archive",
    "asf",
    "copernicus",
    "granule",
    "listing",
    "local",
    "names",
    "per_process",
    "progress",
    "quicklook",
]
EXAMPLES += ["asset_access", "asset_client", "landsat", "retrying", "stores", "umbra", "web"]
SENTINEL_5P = "Sentinel-5P/TROPOMI/L2__AER_AI/2024/08/01/S5P_NRTI_L2__AER_AI_20240801T000000.nc"


@pytest.mark.clause("d1.6-2")
def test_sentinel_5p_is_one_file(copernicus: Provider, tmp_path: Path) -> None:
    """A location that is an object gives the path of a file, and its name as the only object."""
    copernicus.s3.put_object(Bucket="eodata", Key=SENTINEL_5P, Body=b"\x89HDF")
    client = copernicus.client(tmp_path / "data")
    datapoint = {"granule_name": "S5P", "location": f"/eodata/{SENTINEL_5P}"}

    path = client.download(datapoint)

    assert path == tmp_path / "data" / SENTINEL_5P
    assert path.read_bytes() == b"\x89HDF"
    assert client.list_objects(datapoint) == [path.name]
    assert client.download_objects(datapoint, [path.name]) == path.parent
    client.delete(datapoint)
    assert not path.exists()


@pytest.mark.clause("d1.6-8")
def test_default_cache_is_that_of_the_documents() -> None:
    """Without an argument products go to ~/.cache/tilebox; None means no cache."""
    clients = (UmbraStorageClient(), CopernicusStorageClient("key", "secret"), ASFStorageClient("me", "secret"))

    assert {client.cache_directory for client in clients} == {Path.home() / ".cache/tilebox"}
    assert UmbraStorageClient(None).cache_directory is None


def test_providers_may_share_a_cache(copernicus: Provider, umbra: Provider, tmp_path: Path) -> None:
    """destroy_cache() of one client leaves the products of another provider in the same folder."""
    first, second = copernicus.client(tmp_path / "data"), umbra.client(tmp_path / "data")
    kept, gone = first.download(copernicus.datapoint), second.download(umbra.datapoint)

    second.destroy_cache()

    assert contents(kept) == copernicus.files
    assert not gone.exists()


def test_object_that_is_also_a_folder_is_refused(copernicus: Provider, tmp_path: Path) -> None:
    """Keys that no folder can hold together, and keys that lead out of it, are refused before anything is stored."""
    client = copernicus.client(tmp_path / "data")
    for key, reason in (("x/a", "an object and a folder at once"), ("y/../../z", "lead out of its folder")):
        copernicus.s3.put_object(Bucket="eodata", Key=key, Body=b"1")
        copernicus.s3.put_object(Bucket="eodata", Key=f"{key}/b", Body=b"1")
        with pytest.raises(StorageError, match=reason):
            client.download({"granule_name": "x", "location": f"/eodata/{key[0]}"})


def test_listing_of_more_than_a_page_is_complete(copernicus: Provider, tmp_path: Path) -> None:
    """A product of more than a thousand objects is listed to its end."""
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]  # behind the server, since a thousand requests take their time
    for number in range(1005):
        backend.put_object("eodata", f"many/{number:04}", b"")

    names = copernicus.client(tmp_path).list_objects({"granule_name": "many", "location": "many"})

    assert names == [f"{number:04}" for number in range(1005)]
    for name in names:
        backend.delete_object("eodata", f"many/{name}")


def test_unreachable_provider_is_one_sentence(tmp_path: Path) -> None:
    """Nobody at the address: the sentence names it after the attempts of the policy."""
    umbra = UmbraStorageClient(tmp_path, endpoint_url="http://127.0.0.1:9", retry=EAGER)
    asf = ASFStorageClient("me", "x", tmp_path, data_url="http://127.0.0.1:9", retry=EAGER)

    with pytest.raises(StorageError, match=r"failed 3 times in a row.*127\.0\.0\.1:9"):
        umbra.download({"granule_name": "x", "location": "x"})
    with pytest.raises(StorageError, match=r"failed 3 times in a row.*127\.0\.0\.1 cannot be reached"):
        asf.download({"granule_name": "E2_71629_STD_F183"})


def test_bad_arguments_are_named(tmp_path: Path) -> None:
    """A limit of no connections, a checksum that is none and a size that is none are refused."""
    asf = ASFStorageClient("me", "x", tmp_path)

    with pytest.raises(ArgumentError, match="max_concurrent is 0"):
        UmbraStorageClient(tmp_path, max_concurrent=0)
    with pytest.raises(ArgumentError, match="32 hexadecimal digits"):
        asf.download({"granule_name": "E2_71629_STD_F183", "md5sum": "x"})
    with pytest.raises(ArgumentError, match="number of bytes"):
        asf.download({"granule_name": "E2_71629_STD_F183", "file_size": "much"})


@pytest.mark.parametrize("value", [float("nan"), "", None])
def test_empty_fields_count_as_absent(value: object) -> None:
    """What an absent field looks like in a Dataset is no value."""
    with pytest.raises(ArgumentError, match="no 'location'"):
        read_granule({"location": value}).text("location")


@pytest.mark.clause("d1.7-12")
def test_local_client_hands_out_originals(tmp_path: Path) -> None:
    """Without a cache nothing is copied, and nothing of the root can be removed."""
    root = tmp_path / "archive"
    (root / "scene").mkdir(parents=True)
    (root / "scene/band.tif").write_bytes(b"1")
    client = LocalFileSystemStorageClient(root)
    datapoint = {"granule_name": "scene", "location": str(root / "scene")}

    assert client.download(datapoint) == root / "scene"
    assert client.download_objects(datapoint, ["band.tif"]) == root / "scene"
    for remove in (client.destroy_cache, lambda: client.delete(datapoint)):
        with pytest.raises(ArgumentError, match=r"originals .* are not removed"):
            remove()
    assert contents(root) == {"scene/band.tif": b"1"}


def test_local_links_are_not_followed_out_of_the_root(tmp_path: Path) -> None:
    """A link below the root that leads elsewhere is refused, and one that leads nowhere too."""
    (tmp_path / "secret").write_bytes(b"secret")
    root = tmp_path / "archive"
    (root / "scene").mkdir(parents=True)
    (root / "scene/link").symlink_to(tmp_path / "secret")
    (root / "dead").symlink_to(tmp_path / "nothing")
    client = LocalFileSystemStorageClient(root, tmp_path / "data")

    with pytest.raises(StorageError, match="links that lead out of it"):
        client.download({"location": "scene"})
    with pytest.raises(NotFoundError):
        client.download({"location": "dead"})


@pytest.mark.clause("d1.6-9")
def test_quicklook_is_an_image(tmp_path: Path) -> None:
    """quicklook() finds the picture among the files, and returns it no larger than asked for."""
    folder = tmp_path / "archive/scene"
    folder.mkdir(parents=True)
    Image.new("RGB", (800, 400), "navy").save(folder / "T58WET-ql.jpg")
    (folder / "a.jpg").write_bytes(b"no picture")
    client = LocalFileSystemStorageClient(tmp_path / "archive")

    assert client.quicklook({"granule_name": "scene", "location": "scene"}, width=300).size == (300, 150)
    assert client.download_quicklook({"location": "scene"}) == folder / "T58WET-ql.jpg"
    with pytest.raises(StorageError, match="cannot be opened as a picture"):
        client.quicklook({"location": "scene", "thumbnail": "https://x/get-object?path=/scene/a.jpg"})


def test_quicklook_that_is_broken_is_one_sentence(tmp_path: Path) -> None:
    """Whatever Pillow makes of the bytes, and a size that no picture has, are told in one sentence."""
    path = tmp_path / "archive/scene/quicklook.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (80, 40), "navy").save(path)
    client = LocalFileSystemStorageClient(tmp_path / "archive")
    for width, height in ((0, 0), (-5, 5), ("a", 3)):
        with pytest.raises(ArgumentError, match="width and height"):
            client.quicklook({"location": "scene"}, width, height)  # type: ignore[arg-type]  # a mistake
    content = bytearray(path.read_bytes())
    content[37:41] = b"\xcb\xcb\xd9\xd9"  # the name of the second chunk

    path.write_bytes(content)

    with pytest.raises(StorageError, match="cannot be opened as a picture"):
        client.quicklook({"location": "scene"})


def test_missing_libraries_are_named_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Pillow, boto3, requests or tqdm the error says what to install."""
    (tmp_path / "scene").mkdir()
    (tmp_path / "scene/quicklook.jpg").write_bytes(b"")
    for module in ("PIL", "botocore.config", "requests", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, module, None)
    local = LocalFileSystemStorageClient(tmp_path)

    with pytest.raises(StorageError, match="needs Pillow"):
        local.quicklook({"granule_name": "scene", "location": "scene"})
    with pytest.raises(StorageError, match=r"needs boto3: pip install 'tilebox-celery\[storage\]'"):
        UmbraStorageClient(tmp_path).download({"location": "x"})
    with pytest.raises(StorageError, match="needs requests"):
        ASFStorageClient("me", "x", tmp_path).download({"granule_name": "E2_71629_STD_F183"})
    with pytest.raises(StorageError, match="needs tqdm"):
        local.download({"location": "scene"}, output_dir=tmp_path / "out", show_progress=True)


def test_importing_the_clients_is_light() -> None:
    """Neither xarray nor the libraries of the providers are loaded by the import."""
    code = "import sys, tilebox_celery.storage.aio; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert {"xarray", "numpy", "boto3", "requests", "PIL", "tqdm"}.isdisjoint(done.stdout.split())


def test_retry_after_is_read_in_both_forms() -> None:
    """Seconds and dates are understood, a date in the past is no wait, and anything else is ignored."""
    now = datetime(2024, 8, 1, tzinfo=UTC)

    assert retry_after({"retry-after": "120"}) == 120
    assert retry_after({"Retry-After": "Thu, 01 Aug 2024 00:00:30 GMT"}, now) == 30
    assert retry_after({"Retry-After": "Thu, 01 Aug 2024 00:00:30 GMT"}, now + timedelta(hours=1)) == 0
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None


def test_delays_grow_and_are_bounded() -> None:
    """The delay doubles up to its limit, and is never shorter than the provider asks."""
    policy = type(EAGER)(attempts=100, first_delay=timedelta(seconds=1), longest_delay=timedelta(seconds=8))

    assert 0.5 <= policy.delay(1, Interrupted("x"), "It") <= 1
    assert 4 <= policy.delay(50, Interrupted("x"), "It") <= 8
    assert policy.delay(1, Interrupted("x", 20), "It") == 20


@pytest.mark.parametrize("module", EXAMPLES)
def test_storage_examples_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example in a docstring does what it says."""
    monkeypatch.chdir(tmp_path)

    result = doctest.testmod(importlib.import_module(f"tilebox_celery.storage.{module}"))

    assert result.attempted > 0
    assert result.failed == 0


def test_howto_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippets of the how-to page run one after the other, and print what the page says."""
    page = Path(__file__).parents[2] / "docs/howto/storage.md"
    monkeypatch.chdir(tmp_path)

    failed, attempted = doctest.testfile(str(page), module_relative=False)

    assert attempted > 5
    assert failed == 0
