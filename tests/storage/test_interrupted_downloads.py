"""What the network does to a download: it ends well or in one sentence, and never stores anything else."""

import hashlib
from pathlib import Path

import pytest

from tests.storage.faulty_server import Fault
from tests.storage.providers import EAGER, JPEG, Provider
from tests.storage.test_storage_conformance import contents, visible
from tilebox_celery.errors import NotFoundError, ProductDamaged, StorageError

HTML = b"<!DOCTYPE html><html>Log in, please</html>"
LARGE = "GRANULE/IMG/B02.jp2"


@pytest.mark.parametrize("status", [429, 503])
def test_busy_provider_is_asked_again(remote: Provider, tmp_path: Path, status: int) -> None:
    """429 and 5xx answers are repeated until the product is there."""
    remote.log.faults.extend([Fault(status=status), Fault(status=status)])

    assert contents(remote.client(tmp_path / "data").download(remote.datapoint)) == remote.files


def test_retry_after_is_honoured(remote: Provider, tmp_path: Path) -> None:
    """After 429 with Retry-After the same bytes are not asked for before that time is over."""
    remote.log.faults.append(Fault(status=429, headers={"Retry-After": "1"}))

    remote.client(tmp_path / "data", max_concurrent=1).download(remote.datapoint)

    first, second = remote.log.data_requests()[:2]
    assert first.path == second.path
    assert second.time - first.time >= 1


def test_long_retry_after_is_an_error(remote: Provider, tmp_path: Path) -> None:
    """A provider that wants hours of silence makes the download fail, with the number of seconds."""
    remote.log.always = Fault(status=429, headers={"Retry-After": "7200"})

    with pytest.raises(StorageError, match="7200 s"):
        remote.client(tmp_path / "data").download(remote.datapoint)


def test_provider_that_stays_down_is_given_up(remote: Provider, tmp_path: Path) -> None:
    """After the attempts of the policy one sentence says what the provider answers."""
    remote.log.always = Fault(status=503)

    with pytest.raises(StorageError, match=rf"failed {EAGER.attempts} times in a row.* 503"):
        remote.client(tmp_path / "data").download(remote.datapoint)


def test_truncated_body_is_continued(remote: Provider, tmp_path: Path) -> None:
    """A connection that breaks is taken up where it broke, and the whole is verified."""
    remote.log.faults.extend([Fault(cut=1 << 20)] * 2)
    client = remote.client(tmp_path / "data", max_concurrent=1)

    assert contents(client.download(remote.datapoint)) == remote.files
    assert any(each.range_start for each in remote.log.data_requests())


def test_bodies_that_never_end_well_are_not_stored(remote: Provider, tmp_path: Path) -> None:
    """If every answer breaks before it brings anything, the download fails and nothing is at its place."""
    remote.log.always = Fault(cut=0)

    with pytest.raises(StorageError, match=r"failed .* times in a row"):
        remote.client(tmp_path / "data").download(remote.datapoint)

    assert visible_files(tmp_path / "data") == {}


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream"])
def test_page_in_place_of_data_is_not_stored(remote: Provider, tmp_path: Path, kind: str) -> None:
    """A login page or an error document with status 200 is refused, also where it claims to be data."""
    remote.log.always = Fault(status=200, headers={"Content-Type": kind}, body=HTML)

    with pytest.raises(StorageError):
        remote.client(tmp_path / "data").download(remote.datapoint)

    assert visible_files(tmp_path / "data") == {}


def test_page_as_long_as_the_data_is_not_stored(remote: Provider, tmp_path: Path) -> None:
    """Bytes of the right length and with the wrong checksum are refused after several attempts, and are removed."""
    size = remote.datapoint.get("file_size") or len(remote.files["manifest.safe"])
    remote.log.always = Fault(body=(b"PK" + HTML * size)[:size])

    with pytest.raises(ProductDamaged, match="was not stored"):
        remote.client(tmp_path / "data", max_concurrent=1).download(remote.datapoint)

    assert visible_files(tmp_path / "data") == {}
    assert not list((tmp_path / "data/.tilebox").rglob("*.part"))


def test_damaged_once_is_brought_again(remote: Provider, tmp_path: Path) -> None:
    """A file whose checksum is wrong once is downloaded again."""
    size = remote.datapoint.get("file_size") or len(remote.files[LARGE])
    remote.log.faults.append(Fault(body=(b"PK" + b"\0" * size)[:size]))

    client = remote.client(tmp_path / "data", max_concurrent=1)

    assert contents(client.download(remote.datapoint)) == remote.files


@pytest.mark.clause("d1.6-3")
def test_wrong_checksum_of_the_datapoint_is_told(asf: Provider, tmp_path: Path) -> None:
    """An archive that has not the md5sum or file_size of its datapoint is refused, and both values are told."""
    client = asf.client(tmp_path / "data")
    wrong = hashlib.md5(b"other").hexdigest()

    with pytest.raises(ProductDamaged, match=f"{asf.datapoint['md5sum']}, but {wrong} was announced"):
        client.download({**asf.datapoint, "md5sum": wrong})
    with pytest.raises(ProductDamaged, match=r"bytes instead of 17"):
        client.download({**asf.datapoint, "file_size": 17})

    assert visible_files(tmp_path / "data") == {}


def test_no_archive_is_not_stored(asf: Provider, tmp_path: Path) -> None:
    """Without a checksum in the datapoint, what does not begin like a zip file is refused, for quicklooks likewise."""
    assert asf.earthdata is not None
    asf.earthdata.files["/L0/E2/E2_71629_STD_L0_F183.zip"] = b"not an archive at all"
    asf.earthdata.files["/BROWSE/E2/E2_71629_STD_F183.jpg"] = b"GIF89a"
    client = asf.client(tmp_path / "data")

    with pytest.raises(ProductDamaged, match="does not begin like such a file"):
        client.download({"granule_name": "E2_71629_STD_F183"}, extract=False)
    with pytest.raises(ProductDamaged, match="does not begin like such a file"):
        client.download_quicklook({"granule_name": "E2_71629_STD_F183"})


def test_server_without_ranges_sends_all_again(asf: Provider, tmp_path: Path) -> None:
    """A server that answers 200 to a range is taken at its word: the file begins anew, and is right."""
    assert asf.earthdata is not None
    asf.earthdata.has_ranges = False
    asf.log.faults.append(Fault(cut=1 << 20))

    assert contents(asf.client(tmp_path / "data").download(asf.datapoint)) == asf.files


def test_object_that_changes_on_the_way_is_listed_again(copernicus: Provider, tmp_path: Path) -> None:
    """If an object is replaced between two ranges, no mixture is stored: If-Match fails, and the new one is taken."""
    new = {**copernicus.files, LARGE: b"n" * (2 << 20)}
    client = copernicus.client(tmp_path / "data", max_concurrent=1)
    listing = client._engine.source.list_files

    def list_then_replace(key: str) -> object:
        files = listing(key)
        copernicus.s3.put_object(Bucket="eodata", Key=f"{copernicus.prefix}/{LARGE}", Body=new[LARGE])
        client._source.list_files = listing
        return files

    client._source.list_files = list_then_replace

    assert contents(client.download(copernicus.datapoint)) == new


def test_preparation_on_demand_is_waited_for(asf: Provider, tmp_path: Path) -> None:
    """202 means that the product is being made: it is asked for again."""
    asf.log.faults.append(Fault(status=202, headers={"Retry-After": "0"}))

    assert contents(asf.client(tmp_path / "data").download(asf.datapoint)) == asf.files


@pytest.mark.parametrize("status", [404, 410])
def test_product_that_has_expired_is_told(asf: Provider, tmp_path: Path, status: int) -> None:
    """An answer that there is no such file any more is a NotFoundError."""
    asf.log.faults.append(Fault(status=status))

    with pytest.raises(NotFoundError, match="may have expired"):
        asf.client(tmp_path / "data").download(asf.datapoint)


def test_large_file_arrives_in_parallel_pieces(umbra: Provider, tmp_path: Path) -> None:
    """A file larger than a segment is asked for in pieces at once, never more than max_concurrent."""
    content = bytes(range(256)) * (40 << 10)
    umbra.s3.put_object(Bucket=umbra.bucket, Key=f"{umbra.prefix}/x_GEC.tif", Body=content, ACL="public-read")
    client = umbra.client(tmp_path / "data", max_concurrent=3)
    small = type(client._engine.connections)(3, EAGER, segment_bytes=1 << 20)
    client._engine = type(client._engine)(client._engine.source, small)
    umbra.log.bytes_per_second = 20e6

    folder = client.download_objects(umbra.datapoint, ["x_GEC.tif"])

    starts = sorted(each.range_start for each in umbra.log.data_requests())
    assert (folder / "x_GEC.tif").read_bytes() == content
    assert starts == [index << 20 for index in range(10)]
    assert 1 < umbra.log.most_in_flight <= 3


def test_quicklook_is_a_picture_of_the_product(asf: Provider, tmp_path: Path) -> None:
    """The quicklook of ASF comes from its own address, and a granule that has none is told apart without asking."""
    client = asf.client(tmp_path / "data")

    assert client.download_quicklook(asf.datapoint).read_bytes() == JPEG
    before = len(asf.log.requests)
    with pytest.raises(NotFoundError, match="no quicklook"):
        client.download_quicklook({**asf.datapoint, "quicklook_available": False})
    assert len(asf.log.requests) == before


def visible_files(folder: Path) -> dict[str, bytes]:
    """Files that are not hidden below .tilebox."""
    if not folder.exists():
        return {}
    return {name: data for each in visible(folder) for name, data in contents(folder / each).items()}
