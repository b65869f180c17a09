"""Servers that answer 200 and mean something else: a page, half a body, a listing that cannot be true."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.storage.faulty_server import Fault, Handler, Log, Request, serving
from tests.storage.providers import EAGER, JPEG, Provider
from tests.storage.test_storage_conformance import contents, visible
from tilebox_celery.errors import ArchiveError, StorageError, TileboxCeleryError
from tilebox_celery.storage import CopernicusStorageClient

XHTML = b"<html><head><title>Log in</title></head><body>Please log in.</body></html>"
ETAG = '"5d41402abc4b2a76b9719d911017c592"'
MULTIPART = '"5d41402abc4b2a76b9719d911017c592-2"'
DATAPOINT = {"granule_name": "x", "location": "/eodata/S/x"}
ARCHIVE = "/L0/E2/E2_71629_STD_L0_F183.zip"
GRANULE = {"granule_name": "E2_71629_STD_F183"}


class _Always(Handler):
    """Answers everything alike, as the portal of a hotel does."""

    status, headers_sent, body = 200, {"Content-Type": "text/html"}, XHTML

    def answer(self, request: Request) -> None:
        self.send(request, self.status, self.headers_sent, self.body)


class _Bucket(Handler):
    """Lists what it is told, and sends five bytes for every object."""

    key, size, listed, sent = "S/x/a", "5", ETAG, {"ETag": ETAG}

    def answer(self, request: Request) -> None:
        if "list-type" not in request.path:
            self.send(request, 200, dict(self.sent), b"hello")
            return
        etag = f"<ETag>{self.listed}</ETag>" if self.listed else ""
        entry = f"<Contents><Key>{self.key}</Key><Size>{self.size}</Size>{etag}</Contents>"
        text = f"<ListBucketResult><Name>eodata</Name><KeyCount>1</KeyCount>{entry}</ListBucketResult>"
        self.send(request, 200, {"Content-Type": "application/xml"}, text.encode())


def s3_error(handler: type[Handler], cache: Path, **attributes: Any) -> TileboxCeleryError:
    """Return the error of a download from such a server, with nothing stored."""
    with serving(type("Bound", (handler,), attributes), Log(), "s3") as url:
        client = CopernicusStorageClient("key", "secret", cache, endpoint_url=url, region="us-east-1", retry=EAGER)
        with pytest.raises(TileboxCeleryError) as caught:
            client.download(DATAPOINT)
        with pytest.raises(TileboxCeleryError):
            client.list_objects(DATAPOINT) if handler is _Always else client.download_objects(DATAPOINT, ["a"])
    assert not cache.exists() or visible(cache) == []
    return caught.value


@pytest.mark.parametrize("body", [XHTML, b"", b"<!DOCTYPE html><p>Log in", b"<ListBucketResult/>"])
@pytest.mark.parametrize("status", [200, 206])
def test_page_for_every_question_is_not_stored(tmp_path: Path, body: bytes, status: int) -> None:
    """A portal that answers 200 to the listing, the HEAD and the GET does not become a product of one file."""
    s3_error(_Always, tmp_path / "data", body=body, status=status)
    s3_error(_Always, tmp_path / "data", body=body, status=status, headers_sent={"ETag": '"x"'})


@pytest.mark.parametrize("status", [412, 416])
def test_odd_status_of_a_listing_is_one_sentence(tmp_path: Path, status: int) -> None:
    """Answers that make sense for objects alone are an error of the listing."""
    assert f"answers {status}" in str(s3_error(_Always, tmp_path / "data", status=status, body=b""))


@pytest.mark.parametrize("listed", [ETAG, MULTIPART, ""])
def test_object_without_a_version_is_not_stored(tmp_path: Path, listed: str) -> None:
    """S3 names a version in every answer: bytes that come without one are from somebody else."""
    error = s3_error(_Bucket, tmp_path / "data", listed=listed, sent={"Content-Type": "text/html"})

    assert "something else than an S3 answer" in str(error)


@pytest.mark.parametrize(("key", "size"), [("Elsewhere/a", "5"), ("S/x/a", "five"), ("S/x/a", "-5"), ("S/x/a", "")])
def test_listing_that_cannot_be_true_is_refused(tmp_path: Path, key: str, size: str) -> None:
    """A key that is not below the prefix, and a size that is none, are one sentence."""
    assert "something else than an S3 answer" in str(s3_error(_Bucket, tmp_path / "data", key=key, size=size))


def test_size_beyond_any_disk_is_told(tmp_path: Path) -> None:
    """An object of 10^30 bytes is refused before room for its pieces is made."""
    error = s3_error(_Bucket, tmp_path / "data", size="1" + "0" * 30)

    assert "but the disk of" in str(error)


@pytest.mark.parametrize("body", [b"PK", b"PK" + bytes(100), b""])
def test_half_an_archive_is_not_kept(asf: Provider, tmp_path: Path, body: bytes) -> None:
    """Without size and checksum in the datapoint, extract=False still keeps nothing that is no whole archive."""
    assert asf.earthdata is not None
    asf.earthdata.files[ARCHIVE] = body or asf.earthdata.files[ARCHIVE][:1_000_000]

    with pytest.raises(ArchiveError, match=r"^E2_71629_STD_L0_F183\.zip .*not a zip file"):
        asf.client(tmp_path / "data").download(GRANULE, extract=False)

    assert visible(tmp_path / "data") == []


class _Endless(Handler):
    """Does not say how much it will send, so that nobody can tell a broken connection from the end."""

    partial = False

    def answer(self, request: Request) -> None:
        self.send_response(206 if self.partial else 200)
        if self.partial:
            self.send_header("Content-Range", "bytes 0-99/*")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(JPEG)
        self.close_connection = True


@pytest.mark.parametrize("partial", [True, False])
def test_body_whose_end_nobody_knows_is_not_stored(asf: Provider, tmp_path: Path, partial: bool) -> None:
    """Without a length, a size or a checksum from anywhere, what arrives could be half of it."""
    assert asf.earthdata is not None
    with serving(type("Bound", (_Endless,), {"partial": partial}), Log(), "127.0.0.3", "127.0.0.3") as url:
        asf.earthdata.store_url = url

        with pytest.raises(StorageError, match=r"does not say how long E2_71629_STD_F183\.jpg is"):
            asf.client(tmp_path / "data").download_quicklook(GRANULE)

    assert visible(tmp_path / "data") == []


def test_archive_without_a_file_is_refused(asf: Provider, tmp_path: Path) -> None:
    """An empty archive, or one of folders alone, does not become an empty product."""
    assert asf.earthdata is not None
    for names in ((), ("a/", "a/b/")):
        asf.earthdata.files[ARCHIVE] = zipped(zipfile.ZIP_STORED, *names)
        with pytest.raises(ArchiveError, match="holds no file"):
            asf.client(tmp_path / "data").download(GRANULE)

    assert visible(tmp_path / "data") == []


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("where", ["data", "directory"])
def test_damaged_archive_is_one_sentence(asf: Provider, tmp_path: Path, method: int, where: str) -> None:
    """Whatever is wrong inside, the sentence names the archive, and nothing of it is left."""
    assert asf.earthdata is not None
    body = bytearray(zipped(method, "a"))
    if where == "data":
        body[40:80] = b"\xa5" * 40
    else:
        start = body.rindex(b"PK\x05\x06") + 16  # where the directory begins
        body[start : start + 4] = b"\xff\xff\xff\x7f"
    asf.earthdata.files[ARCHIVE] = bytes(body)

    with pytest.raises(ArchiveError, match=r"^E2_71629_STD_L0_F183\.zip cannot be unpacked: .+\.$"):
        asf.client(tmp_path / "data").download(GRANULE)

    assert [name for name in contents(tmp_path / "data") if not name.endswith(".json")] == []


def test_directory_that_overstates_what_is_packed_is_refused_at_once(asf: Provider, tmp_path: Path) -> None:
    """The ratio is that to the bytes that are there, whatever the archive says of itself."""
    assert asf.earthdata is not None
    body = bytearray(zipped(zipfile.ZIP_DEFLATED, "zeros", content=bytes(64 << 20)))
    for start in (18, body.rindex(b"PK\x01\x02") + 20):
        body[start : start + 4] = (60 << 20).to_bytes(4, "little")
    asf.earthdata.files[ARCHIVE] = bytes(body)

    with pytest.raises(ArchiveError, match="200 times as much"):
        asf.client(tmp_path / "data").download(GRANULE)


def test_names_of_a_thousand_folders_are_refused(asf: Provider, tmp_path: Path) -> None:
    """A name so deep that the system could not remove it again is refused."""
    assert asf.earthdata is not None
    asf.earthdata.files[ARCHIVE] = zipped(zipfile.ZIP_DEFLATED, "a/" * 600 + "f")

    with pytest.raises(ArchiveError, match="more than 1024 bytes"):
        asf.client(tmp_path / "data").download(GRANULE)


def test_retry_after_beyond_all_time_is_one_sentence(asf: Provider, tmp_path: Path) -> None:
    """A date that no calendar has, and a number without end, do not break the download."""
    for text, reason in (("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "429"), ("9" * 400, "has to wait")):
        asf.log.always = Fault(status=429, headers={"Retry-After": text})
        with pytest.raises(StorageError, match=reason):
            asf.client(tmp_path / "data").download(asf.datapoint)


def test_errors_name_the_file(asf: Provider, tmp_path: Path) -> None:
    """Sentences about an archive carry its name, not one that only the cache knows."""
    asf.log.always = Fault(status=503)

    with pytest.raises(StorageError, match=r"^The download of E2_71629_STD_L0_F183\.zip failed"):
        asf.client(tmp_path / "data").download(asf.datapoint)


def zipped(method: int, *names: str, content: bytes = bytes(range(256)) * 20) -> bytes:
    """Return a zip with the same content under each name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, b"" if name.endswith("/") else content)
    return buffer.getvalue()
