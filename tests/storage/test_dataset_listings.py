"""Datasets of open data are filled from what their providers store, with one command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import get_canned_acl, s3_backends

from tests.cli.program import Cli
from tests.storage.faulty_server import Fault, Handler, Log, Request, S3Proxy, serving
from tests.storage.listed_products import (
    ALL,
    DAY,
    FILES,
    METADATA,
    PRODUCTS,
    S5P,
    SENTINEL2,
    SENTINEL5P,
    TASK,
    UMBRA,
    UMBRA_BUCKET,
    sentinel2_name,
    umbra_files,
    umbra_name,
)
from tests.storage.providers import EAGER
from tilebox_celery.datasets import Client
from tilebox_celery.datasets.listing import Listing
from tilebox_celery.datasets.sync.open_data import read_open_tables
from tilebox_celery.errors import ArgumentError, NotFoundError, StorageError
from tilebox_celery.storage import CopernicusStorageClient, LocalFileSystemStorageClient, UmbraStorageClient
from tilebox_celery.storage.listing import LocalListing, S3Listing


@pytest.fixture
def put(s3: Any) -> Iterator[Any]:
    """Put objects behind the server, since a thousand requests take their time; their buckets go with the test."""
    backend, made = s3_backends[DEFAULT_ACCOUNT_ID]["aws"], set()

    def put(bucket: str, files: dict[str, bytes]) -> None:
        if bucket not in made:
            s3.create_bucket(Bucket=bucket, ACL="public-read")
            made.add(bucket)
        for key, content in files.items():
            backend.put_object(bucket, key, content).set_acl(get_canned_acl("public-read"))

    yield put
    for bucket in made:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", []):
                backend.delete_object(bucket, each["Key"])
        s3.delete_bucket(Bucket=bucket)


@pytest.fixture
def log(moto_url: str) -> Iterator[Log]:
    """What is asked of the S3 server; `url` is where."""
    log = Log()
    with serving(type("Proxy", (S3Proxy,), {"upstream": moto_url}), log, "s3") as url:
        log.url = url  # type: ignore[attr-defined]  # for this file alone
        yield log


@pytest.fixture
def cli(ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The program, with the database of this test and keys for Copernicus."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    return Cli(tmp_path)


def ingest(cli: Cli, slug: str, source: str, log: Log, *words: str) -> Any:
    """Run `dataset ingest` against the server of this run."""
    endpoint = ("--endpoint-url", log.url) if source.startswith("s3://") else ()  # type: ignore[attr-defined]
    return cli("dataset", "ingest", slug, source, "--create", *endpoint, *words)


def test_listings_have_what_datasets_need(put: Any, log: Log, tmp_path: Path) -> None:
    """The listing of each storage client satisfies the Protocol of the datasets."""
    clients = (
        UmbraStorageClient(None),
        CopernicusStorageClient("k", "s", None),
        LocalFileSystemStorageClient(tmp_path),
    )

    assert all(isinstance(client.listing(), Listing) for client in clients)


def test_umbra_is_filled_from_its_bucket(cli: Cli, put: Any, log: Log, ledger_url: str) -> None:
    """Products below a prefix with blanks, over more than one page, become datapoints with one command, once."""
    for number in range(PRODUCTS):
        put(UMBRA_BUCKET, umbra_files(number))
    put(UMBRA_BUCKET, {f"{TASK}/": b"", f"{TASK}/README.txt": b"hello", "sar-data/tasks/other/x.txt": b"x"})
    source = f"s3://{UMBRA_BUCKET}/{TASK}"

    first, again = (ingest(cli, UMBRA, source, log, "--json") for _ in range(2))

    told = {"dataset": UMBRA, "collection": "SAR", "read": PRODUCTS}
    assert (first.code, first.document, first.stderr) == (0, [told | {"stored": PRODUCTS}], "")
    assert again.document == [told | {"stored": 0}]
    pages = [each for each in log.requests if "list-type=2" in each.path]
    assert len(pages) == 4  # two for each run, since a page has a thousand keys
    assert not any("authorization" in each.headers for each in log.requests)
    client = Client(ledger_url)
    data = client.dataset(UMBRA).collection("SAR").load(ALL)
    client.close()
    assert data["granule_name"].to_numpy().tolist() == [umbra_name(number) for number in range(PRODUCTS)]
    one = data.isel(time=61)
    assert str(one.time.to_numpy()) == "2024-01-05T01:01:01.250000000"
    assert (
        one["location"].item()
        == f"{TASK.removeprefix('sar-data/tasks/')}/6cf02931-ca2e-4744-b389-4844ddc70061/{umbra_name(61)}"
    )
    assert (one["satellite"].item(), one["polarization"].item(), one["acquisition_mode"].item()) == (
        "UMBRA-07",
        "VV",
        "SPOTLIGHT",
    )
    assert (one["grazing_angle"].item(), one["squint_angle"].item(), one["range_resolution"].item()) == (
        42.5,
        -3.25,
        0.66,
    )
    assert one["task_id"].item() == "2e00bde3-c6d1-4230-aca0-11cd51c9c998"
    assert (one["geometry"].item().geom_type, one["geometry"].item().has_z) == ("Polygon", False)
    assert sorted(one["assets"].item()) == ["CSI", "GEC", "METADATA", "SICD", "SIDD"]
    assert (
        one["assets"].item()["GEC"]["href"]
        == f"{source}/6cf02931-ca2e-4744-b389-4844ddc70061/{umbra_name(61)}/{umbra_name(61)}_GEC.tif"
    )
    assert one["stac_id"].item() is None


def test_a_listed_product_can_be_downloaded(cli: Cli, put: Any, log: Log, ledger_url: str, tmp_path: Path) -> None:
    """The datapoint of a listing is what the storage client of its provider needs."""
    put(UMBRA_BUCKET, umbra_files(7))
    ingest(cli, UMBRA, f"s3://{UMBRA_BUCKET}/sar-data/tasks/", log)
    client = Client(ledger_url)
    data = client.dataset(UMBRA).collection("SAR").load(ALL)
    client.close()

    path = UmbraStorageClient(tmp_path / "data", endpoint_url=log.url).download(data.isel(time=0))  # type: ignore[attr-defined]

    assert {each.name for each in path.iterdir()} == {f"{umbra_name(7)}_{each}" for each in (*FILES, "METADATA.json")}


def test_bad_products_are_skipped_with_their_reason(cli: Cli, put: Any, log: Log) -> None:
    """A product that cannot be used is left out and named; the others are stored."""
    put(UMBRA_BUCKET, umbra_files(0))
    bad: dict[int, bytes] = {
        1: b"<html>",
        2: json.dumps({"collects": []}).encode(),
        3: json.dumps(
            {**METADATA, "collects": [{**METADATA["collects"][0], "footprintPolygonLla": {"type": "Blob"}}]}
        ).encode(),
        4: json.dumps({**METADATA, "collects": [{**METADATA["collects"][0], "startAtUTC": "soon"}]}).encode(),
        5: json.dumps({**METADATA, "collects": [{**METADATA["collects"][0], "angleGrazingDegrees": "steep"}]}).encode(),
        6: b"",
    }
    for number, content in bad.items():
        files = umbra_files(number)
        put(UMBRA_BUCKET, files | {key: content for key in files if key.endswith(".json")})
    files = umbra_files(7)
    put(UMBRA_BUCKET, {key: content for key, content in files.items() if not key.endswith(".json")})

    done = ingest(cli, UMBRA, f"s3://{UMBRA_BUCKET}/{TASK}/", log, "--json")

    assert done.code == 0
    assert [(each["read"], each["stored"]) for each in done.document] == [(1, 1)]
    told = done.stderr.splitlines()
    assert len(told) == 7
    for number, reason in enumerate(
        ("is no JSON", "has no collects", "geometry", "'soon'", "'steep'", "that can be read", "that can be read"), 1
    ):
        assert [line for line in told if umbra_name(number) in line and reason in line and line.startswith("Skipped: ")]


def test_in_python_a_bad_product_is_an_error(put: Any, log: Log) -> None:
    """Without somebody who takes the reasons, nothing is left out in silence."""
    files = umbra_files(1)
    put(UMBRA_BUCKET, {key: b"{}" if key.endswith(".json") else content for key, content in files.items()})
    listing = UmbraStorageClient(None, endpoint_url=log.url).listing("sar-data/tasks")  # type: ignore[attr-defined]

    with pytest.raises(ArgumentError, match=r"_METADATA\.json has no collects"):
        read_open_tables(UMBRA, listing)


def test_a_listing_tells_how_far_it_has_come(put: Any, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of products that were read is drawn on stderr, since nobody knows how many there are."""
    put(UMBRA_BUCKET, umbra_files(1) | umbra_files(2))
    listing = UmbraStorageClient(None, endpoint_url=log.url).listing("sar-data/tasks")  # type: ignore[attr-defined]

    read_open_tables(UMBRA, listing, show_progress=True)

    assert f"Listing {UMBRA}: 2 products in" in capsys.readouterr().err


def test_copernicus_is_filled_from_names(cli: Cli, put: Any, log: Log, ledger_url: str) -> None:
    """A day of more products than a page has takes few requests: nothing below a product is listed."""
    names = [sentinel2_name(number) for number in range(1100)]
    assert len(set(names)) == 1100
    put("eodata", {f"{DAY}/{name}/manifest.safe": b"<xml/>" for name in names})
    put(
        "eodata",
        {f"{DAY}/": b"", f"{DAY}/{names[0]}": b"", f"{DAY}/{names[0]}/": b"", f"{DAY}/{names[0]}_OTHER/x": b"x"},
    )
    put("eodata", {f"{DAY}/notes.txt": b"hello", f"Sentinel-5P/TROPOMI/L2__NO2___/2024/08/01/{S5P}": b"\x89HDF"})

    first, again = (ingest(cli, SENTINEL2, "s3://eodata/Sentinel-2/", log, "--json") for _ in range(2))

    told = {"dataset": SENTINEL2, "collection": "S2A_S2MSI2A", "read": 1100}
    assert (first.code, first.document, first.stderr) == (0, [told | {"stored": 1100}], "")
    assert again.document == [told | {"stored": 0}]
    assert len(log.requests) == 2 * 8  # five folders down to the day, two pages of it, and what is no product
    client = Client(ledger_url)
    data = client.dataset(SENTINEL2).collection("S2A_S2MSI2A").load(ALL)
    client.close()
    one = data.sel(time="2024-08-01T00:26:11").isel(time=data["granule_name"].to_numpy().tolist().index(names[5]))
    assert one["location"].item() == f"/eodata/{DAY}/{names[5]}"
    assert (one["processing_level"].item(), one["satellite"].item(), one["relative_orbit_number"].item()) == (
        "L2A",
        "SENTINEL-2A",
        102,
    )
    assert (one["tile_id"].item(), one["processing_baseline"].item(), one["online"].item()) == (
        names[5][39:44],
        "05.11",
        True,
    )
    assert one["geometry"].item() is None


def test_products_of_one_file_have_their_size(cli: Cli, put: Any, log: Log, ledger_url: str) -> None:
    """A Sentinel-5P file tells its size; an empty one is skipped."""
    folder = "Sentinel-5P/TROPOMI/L2__NO2___/2024/08/01"
    put("eodata", {f"{folder}/{S5P}": b"\x89HDF", f"{folder}/{S5P.replace('35228', '35229')}": b""})

    done = ingest(cli, SENTINEL5P, "s3://eodata/Sentinel-5P", log)

    assert (done.code, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        f"Skipped: {folder}/{S5P.replace('35228', '35229')} is empty.",
        "L2__NO2___: 1 datapoint read, 1 of them new.",
    ]
    client = Client(ledger_url)
    one = client.dataset(SENTINEL5P).collection("L2__NO2___").load("2024-08-01T00:26:11").isel(time=0)
    client.close()
    assert (one["file_size"].item(), one["orbit_number"].item(), one["location"].item()) == (
        4,
        35228,
        f"/eodata/{folder}/{S5P}",
    )
    assert str(one["end_time"].to_numpy()) == "2024-08-01T02:07:41.000000000"


def test_one_product_may_be_named(cli: Cli, put: Any, log: Log) -> None:
    """The path of a single product is a listing of that product."""
    name = sentinel2_name(0)
    put("eodata", {f"{DAY}/{each}/manifest.safe": b"<xml/>" for each in (name, sentinel2_name(1))})

    assert ingest(cli, SENTINEL2, f"s3://eodata/{DAY}/{name}/", log, "--json").document[0]["read"] == 1


def test_a_folder_of_this_machine_is_listed(cli: Cli, tmp_path: Path, log: Log, ledger_url: str) -> None:
    """Products below a folder get their path as location; a mirror of Umbra the place in the bucket."""
    (tmp_path / DAY / sentinel2_name(3) / "GRANULE").mkdir(parents=True)
    for path, content in umbra_files(3).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "loop").symlink_to(tmp_path)

    told = [ingest(cli, slug, str(tmp_path), log, "--json").document[0]["stored"] for slug in (SENTINEL2, UMBRA)]

    assert told == [1, 1]
    client = Client(ledger_url)
    ours = client.dataset(SENTINEL2).collection("S2A_S2MSI2A").load(ALL).isel(time=0)
    umbra = client.dataset(UMBRA).collection("SAR").load(ALL).isel(time=0)
    client.close()
    assert ours["location"].item() == f"{tmp_path}/{DAY}/{sentinel2_name(3)}"
    assert LocalFileSystemStorageClient(tmp_path).list_objects(
        umbra.assign(location=f"sar-data/tasks/{umbra['location'].item()}")
    )
    (tmp_path / DAY / sentinel2_name(3) / "manifest.safe").write_text("<xml/>")
    assert LocalFileSystemStorageClient(tmp_path).list_objects(ours) == ["manifest.safe"]


def test_a_busy_provider_is_asked_again(put: Any, log: Log) -> None:
    """A listing goes on after an answer of 503, for pages and for files."""
    put(UMBRA_BUCKET, umbra_files(1))
    log.faults.append(Fault(status=503))
    listing = UmbraStorageClient(None, endpoint_url=log.url, retry=EAGER).listing(TASK)  # type: ignore[attr-defined]

    tables = read_open_tables(UMBRA, listing)

    assert tables["SAR"].num_rows == 1
    log.always = Fault(status=503)
    with pytest.raises(StorageError, match=r"failed 3 times in a row"):
        read_open_tables(UMBRA, listing)


def test_listings_read_and_list(put: Any, log: Log, tmp_path: Path) -> None:
    """The listings of a bucket and of the same files in a folder are the same."""
    files = {"a/b.json": b"{}", "a/c d/e.txt": b"abc", "a/c d/f/g": b"1", "z": b""}
    put("eodata", {f"root/{path}": content for path, content in files.items()})
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    bucket = CopernicusStorageClient("k", "s", None, endpoint_url=log.url).listing("/root/")  # type: ignore[attr-defined]
    folder = LocalFileSystemStorageClient(tmp_path).listing()
    assert isinstance(bucket, S3Listing)
    assert isinstance(folder, LocalListing)

    assert [(each.path, each.size) for each in folder.files()] == [(path, len(data)) for path, data in files.items()]
    assert [each.path.removeprefix("root/") for each in bucket.files()] == list(files)
    assert [each.path for each in folder.children("a/")] == ["a/b.json", "a/c d/"]
    assert [each.path for each in bucket.children("root/a/")] == ["root/a/b.json", "root/a/c d/"]
    assert (folder.read("a/c d/e.txt"), bucket.read("root/a/c d/e.txt")) == (b"abc", b"abc")
    for listing in (folder, bucket):
        with pytest.raises(NotFoundError, match="nope"):
            listing.read("nope")


@pytest.mark.parametrize(
    ("slug", "source", "words", "sentence"),
    [
        (UMBRA, "s3:///x", (), "an S3 URL is s3://BUCKET/PATH"),
        ("my.own", f"s3://{UMBRA_BUCKET}/x", ("-c", "all"), "only datasets of open data"),
        (UMBRA, f"s3://{UMBRA_BUCKET}/x", ("-c", "all"), "--collection cannot be chosen"),
        ("open_data.copernicus.landsat8_oli_tirs", "s3://eodata/Landsat-8", (), "have no time of day"),
        ("open_data.asf.ers_sar", ".", (), "ASF has no folders to list"),
    ],
)
def test_what_cannot_be_listed_is_one_sentence(
    cli: Cli, log: Log, slug: str, source: str, words: tuple[str, ...], sentence: str
) -> None:
    """Each mistake is one sentence, and nothing is stored."""
    done = ingest(cli, slug, source, log, *words)

    assert (done.code, done.stdout, len(done.stderr.strip().splitlines())) == (2, "", 1)
    assert sentence in done.stderr


class _Search(Handler):
    def answer(self, request: Request) -> None:
        feature = {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [7.5, 50.5]},
            "properties": {"sceneName": "E2_71629_STD_F183", "startTime": "2008-12-29T19:21:47Z", "bytes": 183319310},
        }
        body = json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()
        self.send(request, 200, {"Content-Type": "application/geojson"}, body)


def test_the_search_of_asf_is_a_source(cli: Cli, log: Log) -> None:
    """ASF has a search in place of folders; its answer in GeoJSON fills the dataset with one command."""
    with serving(_Search, Log(), "search") as url:
        done = ingest(cli, "open_data.asf.ers_sar", f"{url}/param?platform=ERS-2&output=geojson", log, "--json")

    assert done.document == [{"dataset": "open_data.asf.ers_sar", "collection": "ERS-2", "read": 1, "stored": 1}]


def test_nothing_found_and_missing_keys_are_told(cli: Cli, put: Any, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix without products says so; Copernicus without keys names the variable."""
    put(UMBRA_BUCKET, {"x/y": b"1"})

    nothing = ingest(cli, UMBRA, f"s3://{UMBRA_BUCKET}/x", log)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    refused = ingest(cli, SENTINEL2, f"s3://eodata/{DAY}", log)

    assert nothing.stderr.strip() == f"There is nothing in s3://{UMBRA_BUCKET}/x that {UMBRA} could hold."
    assert refused.code == 2
    assert "set AWS_ACCESS_KEY_ID" in refused.stderr
