"""What every storage client promises, over every provider and its real server."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.storage.providers import Provider
from tilebox_celery.errors import ArgumentError, NotFoundError, StorageError


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def visible(folder: Path) -> list[str]:
    """What a person sees in a folder."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.clause("1.12-1")
@pytest.mark.clause("d1.6-1", "d1.6-3", "d1.6-5")
def test_download_gives_the_documented_path(provider: Provider, tmp_path: Path) -> None:
    """The product lies in the cache at the path that the documents print, whole and right."""
    path = provider.client(tmp_path / "data").download(provider.datapoint)

    assert path == tmp_path / "data" / provider.path
    assert contents(path) == provider.files


@pytest.mark.clause("d1.6-6")
def test_relative_cache_gives_relative_paths(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative cache directory gives a relative path, as the documents print it."""
    monkeypatch.chdir(tmp_path)

    path = provider.client(Path("data")).download(provider.datapoint)

    assert str(path) == f"data/{provider.path}"


@pytest.mark.clause("1.12-1")
def test_cached_product_is_not_asked_for_again(provider: Provider, tmp_path: Path) -> None:
    """A second download makes no request at all, and leaves nothing unfinished in the cache."""
    client = provider.client(tmp_path / "data")
    client.download(provider.datapoint)
    before = len(provider.log.requests)

    again = client.download(provider.datapoint)

    assert contents(again) == provider.files
    assert len(provider.log.requests) == before
    assert [path.suffix for path in (tmp_path / "data/.tilebox").iterdir()] == [".json"]


@pytest.mark.parametrize("has_time", [True, False])
@pytest.mark.clause("d1.6-7")
def test_datapoint_may_be_a_dataset(provider: Provider, tmp_path: Path, has_time: bool) -> None:
    """A datapoint is data.isel(time=0), or a Dataset whose time has length one."""
    dataset = dataset_of([provider.datapoint])

    path = provider.client(tmp_path / "data").download(dataset if has_time else dataset.isel(time=0))

    assert contents(path) == provider.files


@pytest.mark.clause("1.12-2")
@pytest.mark.clause("d1.6-7")
def test_more_than_one_granule_is_refused(provider: Provider, tmp_path: Path) -> None:
    """Two granules at once, or none, get the sentence of the documents."""
    client = provider.client(tmp_path / "data")

    with pytest.raises(ArgumentError, match=r"^The given dataset has more than one granule\.$"):
        client.download(dataset_of([provider.datapoint] * 2))
    with pytest.raises(ArgumentError, match="has no granule"):
        client.download(xr.Dataset())


def test_missing_field_is_named(provider: Provider, tmp_path: Path) -> None:
    """A datapoint without the field that names its product is refused with the name of the field."""
    client = provider.client(tmp_path / "data")
    needed = "granule_name" if provider.name == "asf" else "location"

    with pytest.raises(ArgumentError, match=f"no '{needed}'"):
        client.download({name: value for name, value in provider.datapoint.items() if name != needed})
    with pytest.raises(ArgumentError, match="not list"):
        client.download([1])


def test_datapoint_cannot_lead_out_of_the_cache(provider: Provider, tmp_path: Path) -> None:
    """Fields of a datapoint are data of others: one that could lead out of the cache is refused."""
    field = "granule_name" if provider.name == "asf" else "location"

    for evil in ("../../etc/passwd", "a/../../b", "/eodata/../x", "a//b", "a\x00b", "a\\b", "."):
        with pytest.raises((StorageError, ArgumentError), match=r"lead out of its folder|not one of ASF's"):
            provider.client(tmp_path / "data").download({**provider.datapoint, field: evil})

    assert not (tmp_path / "data").exists()


def test_unknown_product_is_not_found(provider: Provider, tmp_path: Path) -> None:
    """A product that the provider does not have, or not any more, raises NotFoundError and leaves nothing visible."""
    datapoint = {"granule_name": "E2_00001_STD_F001", "location": "Sentinel-9/gone"}

    with pytest.raises(NotFoundError, match=r"gone|E2_00001_STD_L0_F001"):
        provider.client(tmp_path / "data").download(datapoint)

    assert not (tmp_path / "data").exists() or visible(tmp_path / "data") == []


@pytest.mark.clause("d1.6-8")
def test_output_dir_takes_the_place_of_the_cache(provider: Provider, tmp_path: Path) -> None:
    """With output_dir the product lies there at the same path, and nothing else does."""
    client = provider.client(None)

    path = client.download(provider.datapoint, output_dir=tmp_path / "out")

    assert path == tmp_path / "out" / provider.path
    assert contents(tmp_path / "out") == {f"{provider.path}/{name}": data for name, data in provider.files.items()}
    if provider.name != "local":  # which hands out the original
        with pytest.raises(ArgumentError, match="no cache_directory"):
            client.download(provider.datapoint)


@pytest.mark.clause("d1.6-9")
@pytest.mark.clause("2.storage-1")
def test_objects_are_listed_and_downloaded_one_by_one(provider: Provider, tmp_path: Path) -> None:
    """Objects lie beside the place of the product, which stays free for the whole."""
    client = provider.client(tmp_path / "data")
    names = client.list_objects(provider.datapoint)
    assert names == provider.objects

    folder = client.download_objects(provider.datapoint, names[-1:])

    assert list(contents(folder)) == names[-1:]
    assert not (tmp_path / "data" / provider.path).exists()
    assert contents(client.download(provider.datapoint)) == provider.files


def test_unknown_object_is_named(provider: Provider, tmp_path: Path) -> None:
    """An object that the product does not have is named in the error, and evil names are refused."""
    client = provider.client(tmp_path / "data")

    with pytest.raises(NotFoundError, match=r"no object 'B99\.jp2'"):
        client.download_objects(provider.datapoint, ["B99.jp2"])
    with pytest.raises(StorageError, match="lead out of its folder"):
        client.download_objects(provider.datapoint, ["../B02.jp2"])
    with pytest.raises(ArgumentError, match="list of names"):
        client.download_objects(provider.datapoint, "B02.jp2")


@pytest.mark.clause("d1.6-9")
def test_delete_removes_one_product(provider: Provider, tmp_path: Path) -> None:
    """delete() removes the product with its objects, and may be called again."""
    client = provider.client(tmp_path / "data")
    client.download_objects(provider.datapoint, provider.objects[:1])
    client.download(provider.datapoint)

    client.delete(provider.datapoint)
    client.delete(provider.datapoint)

    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.clause("d1.6-9")
def test_destroy_cache_removes_only_what_it_has_stored(provider: Provider, tmp_path: Path) -> None:
    """destroy_cache() leaves files of others, even where the cache directory is not its own."""
    client = provider.client(tmp_path / "data")
    product = client.download(provider.datapoint)
    mine = product.parent / "my notes.txt"
    mine.write_text("keep")

    client.destroy_cache()

    assert not product.exists()
    assert list(contents(tmp_path / "data").values()) == [b"keep"]


def test_progress_is_drawn(provider: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """show_progress draws a bar in bytes that ends at 100 %, and nothing is drawn without it."""
    client = provider.client(tmp_path / "data")
    client.download(provider.datapoint)
    assert capsys.readouterr().err == ""

    client.download(provider.datapoint, output_dir=tmp_path / "out", show_progress=True)

    assert "100%" in capsys.readouterr().err


def test_cache_that_cannot_be_made_is_one_sentence(provider: Provider, tmp_path: Path) -> None:
    """A cache directory below a file is refused in one sentence that has the system's number."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match=r"was not stored in .*: Not a directory\.$") as caught:
        provider.client(tmp_path / "file/data").download(provider.datapoint)

    assert caught.value.errno == errno.ENOTDIR


def dataset_of(datapoints: list[dict[str, Any]]) -> xr.Dataset:
    """Return a Dataset as collection.load() gives it."""
    fields = [name for name in datapoints[0] if name != "time"]
    columns = {name: ("time", np.array([each[name] for each in datapoints], dtype=object)) for name in fields}
    return xr.Dataset(columns, coords={"time": np.arange(len(datapoints)).astype("datetime64[ns]")})
