"""What users pass by mistake: one sentence that names it, at the constructor or the call."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import tilebox_celery.storage.client
from tests.storage.test_storage_processes import in_fork
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.storage import (
    ASFStorageClient,
    CopernicusStorageClient,
    LocalFileSystemStorageClient,
    StorageClient,
    UmbraStorageClient,
)
from tilebox_celery.storage.granule import read_granule

CONSTRUCTORS: dict[str, tuple[Callable[[], Any], str]] = {
    "cache of a number": (lambda: UmbraStorageClient(5), "cache_directory is 5"),  # type: ignore[arg-type]  # a mistake
    "cache with a NUL": (lambda: UmbraStorageClient("a\0b"), r"cache_directory is 'a\\x00b'"),
    "unknown home": (lambda: UmbraStorageClient("~nobody-at-all/x"), "home"),
    "root of a number": (lambda: LocalFileSystemStorageClient(5), "root is 5"),  # type: ignore[arg-type]  # a mistake
    "text as limit": (lambda: UmbraStorageClient("x", max_concurrent="3"), "max_concurrent is '3'"),  # type: ignore[arg-type]  # a mistake
    "fraction as limit": (lambda: UmbraStorageClient("x", max_concurrent=1.5), "max_concurrent is 1.5"),  # type: ignore[arg-type]  # a mistake
    "number as retry": (lambda: UmbraStorageClient("x", retry=3), "retry is 3"),  # type: ignore[arg-type]  # a mistake
    "number as key": (lambda: CopernicusStorageClient(5, "s", "x"), "access_key must be a text"),  # type: ignore[arg-type]  # a mistake
    "secret from a file": (lambda: CopernicusStorageClient("k", "hidden\n", "x"), "secret_access_key .* line break"),
    "password from a file": (lambda: ASFStorageClient("me", "hidden\r\n", "x"), "EARTHDATA_PASSWORD.* line break"),
}


@pytest.mark.parametrize("kind", CONSTRUCTORS)
def test_mistakes_in_constructors_are_named(kind: str) -> None:
    """The sentence names the argument, and shows no secret."""
    call, sentence = CONSTRUCTORS[kind]

    with pytest.raises(ArgumentError, match=sentence) as caught:
        call()

    assert "hidden" not in str(caught.value)


def test_endpoint_that_is_no_url_is_named(tmp_path: Path) -> None:
    """A host without its scheme is a mistake, not a provider that is down."""
    with pytest.raises(ArgumentError, match="endpoint_url 'nonsense' of Umbra is no URL"):
        UmbraStorageClient(tmp_path, endpoint_url="nonsense").list_objects({"location": "x"})
    with pytest.raises(ArgumentError, match="data_url 'nonsense' is no URL"):
        ASFStorageClient("me", "x", tmp_path, data_url="nonsense")
    with pytest.raises(ArgumentError, match=r"login_url 'urs\.earthdata\.nasa\.gov' is no URL"):
        ASFStorageClient("me", "x", tmp_path, login_url="urs.earthdata.nasa.gov")


@pytest.mark.parametrize("kind", ["DataArray", "frame", "row", "path", "number"])
def test_what_is_no_datapoint_is_refused(kind: str) -> None:
    """A field instead of the Dataset, a frame or its row get the sentence that says what a datapoint is."""
    dataset = xr.Dataset({"location": ("time", np.array(["x"], dtype=object))}, coords={"time": [0]})
    frame = pd.DataFrame({"location": ["x"]})
    wrong = {"DataArray": dataset.location[0], "frame": frame, "row": frame.iloc[0], "path": Path("x"), "number": 1}

    with pytest.raises(ArgumentError, match=rf"A datapoint is an xarray\.Dataset .*, not {type(wrong[kind]).__name__}"):
        read_granule(wrong[kind])


def test_fields_without_a_value_count_as_absent() -> None:
    """What pandas calls NA is no value; a size beyond all numbers is none."""
    with pytest.raises(ArgumentError, match="no 'location'"):
        read_granule({"location": pd.NA}).text("location")
    with pytest.raises(ArgumentError, match="'file_size' of the datapoint is inf"):
        read_granule({"file_size": float("inf")}).optional_size("file_size")


def test_location_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    """A lone surrogate and a text without end are refused before anything is asked or made."""
    client = LocalFileSystemStorageClient(tmp_path, tmp_path / "data")
    for location, sentence in (("\ud800", "no file can be called"), ("a/" * 600, "more than 1024 bytes")):
        with pytest.raises(OSError, match=sentence):
            client.download({"location": location})

    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_clients_need_no_home() -> None:
    """A container may run as a user whom nobody knows: only the default cache needs a home."""

    def use() -> None:
        os.environ.pop("HOME", None)
        os.setresuid(123456, 0, 0)
        importlib.reload(tilebox_celery.storage.client)
        assert UmbraStorageClient("data").cache_directory == Path("data")
        assert UmbraStorageClient(None).cache_directory is None
        with pytest.raises(ArgumentError, match="the home directory is unknown: pass another one"):
            UmbraStorageClient()

    assert in_fork(use) == "done"


def test_longest_name_can_be_used_in_all_ways(tmp_path: Path) -> None:
    """A product whose name is as long as the file system allows can be downloaded in parts, too."""
    name = "n" * 255
    (tmp_path / "archive" / name).mkdir(parents=True)
    (tmp_path / "archive" / name / "f").write_bytes(b"1")
    client = LocalFileSystemStorageClient(tmp_path / "archive", tmp_path / "data")

    assert (client.download_objects({"location": name}, ["f"]) / "f").read_bytes() == b"1"
    assert (client.download({"location": name}) / "f").read_bytes() == b"1"
    client.delete({"location": name})

    assert list((tmp_path / "data").iterdir()) == []
    with pytest.raises(NotFoundError):
        client.download({"location": name[1:]})


@pytest.mark.parametrize(
    ("client", "place"),
    [
        (CopernicusStorageClient("k3y", "s3cr3t", None), "the bucket eodata"),
        (UmbraStorageClient(None), "the bucket umbra-open-data-catalog"),
        (LocalFileSystemStorageClient("archive"), "the folder archive"),
    ],
)
def test_a_product_that_lies_elsewhere_is_refused_by_its_place(client: StorageClient, place: str) -> None:
    """STAC items of a mirror have locations at that mirror: it was said that they lead out of their folder."""
    with pytest.raises(ArgumentError, match=f"'https://.*, which is not in {place}: take the client of that provider"):
        client.list_objects({"granule_name": "x.SAFE", "location": "https://mirror.example.org/l2a/x.SAFE"})
    with pytest.raises(ArgumentError, match=f"which is not in {place}"):
        client.list_objects({"granule_name": "x.SAFE", "location": "s3://other-bucket/x.SAFE"})
