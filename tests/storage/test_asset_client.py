"""The asynchronous client of assets: which location is taken, and that what is read is what was announced."""

import asyncio
import hashlib
import logging
import os
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.storage.faulty_server import Fault
from tests.storage.providers import EAGER, LANDSAT, Provider
from tests.storage.test_storage_conformance import visible
from tests.storage.web_imitation import Web, web_server
from tilebox_celery.datasets.assets import (
    Asset,
    AssetLocation,
    AuthenticationScheme,
    File,
    StorageScheme,
)
from tilebox_celery.errors import ArgumentError, AuthenticationError, NotFoundError, ProductDamaged, StorageError
from tilebox_celery.storage.aio import AssetAccessPolicy, Client

BODY = os.urandom(3 << 20)
PAYS = {"": StorageScheme(None, "AWS", None, requester_pays=True)}


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server with one file."""
    with web_server() as web:
        web.files["/B04.tif"] = BODY
        yield web


def client(**options: Any) -> Client:
    """A client that tries again quickly."""
    return Client(retry=EAGER, **options)


def asset_at(href: str, *, size: int | None = None, md5: str | None = None, **more: Any) -> Asset:
    """An asset of one location."""
    file = File(size, f"d50110{md5}" if md5 else None)
    return Asset("red", AssetLocation(href), file=file, **more)


def read(asset: Asset, of: Client | None = None, **options: Any) -> bytes:
    """All bytes of an asset."""
    return asyncio.run((of or client()).read_bytes(asset, **options))


async def all_chunks(of: Client, asset: Asset) -> list[bytes]:
    """The bytes of an asset as they come."""
    return [chunk async for chunk in of.iter_bytes(asset)]


@pytest.fixture(params=["web", "s3", "file"])
def there(request: pytest.FixtureRequest, web: Web, tmp_path: Path) -> tuple[Client, Asset]:
    """A client and an asset at each kind of location."""
    if request.param == "web":
        return client(), asset_at(f"{web.url}/B04.tif")
    if request.param == "file":
        (tmp_path / "root").mkdir()
        (tmp_path / "root/B04.tif").write_bytes(BODY)
        return client(local_root=tmp_path / "root"), asset_at(f"file://{tmp_path}/root/B04.tif")
    umbra: Provider = request.getfixturevalue("umbra")
    umbra.s3.put_object(Bucket=umbra.bucket, Key="a b/B04.tif", Body=BODY, ACL="public-read")
    return client(s3_endpoint_url=umbra.client(tmp_path)._source._bucket.endpoint), asset_at(
        f"s3://{umbra.bucket}/a b/B04.tif"
    )


@pytest.mark.clause("2.storage-1")
def test_assets_are_read_and_downloaded(there: tuple[Client, Asset], tmp_path: Path) -> None:
    """From the web, a bucket and a folder: at once, in pieces, and into a file that is there whole."""
    of, asset = there

    async def use() -> None:
        assert of.resolve(asset).href == asset.primary.href
        assert await of.read_bytes(asset) == BODY
        chunks = await all_chunks(of, asset)
        assert b"".join(chunks) == BODY
        assert len(chunks) > 1
        target = tmp_path / "out/deep/red.tif"
        assert await of.download(asset, target) == target
        assert target.read_bytes() == BODY
        assert os.listdir(target.parent) == ["red.tif"]

    asyncio.run(use())


def test_a_file_that_is_there_stays(web: Web, tmp_path: Path) -> None:
    """A download onto a file is refused, and with overwrite the file is exchanged in one step."""
    asset, target = asset_at(f"{web.url}/B04.tif"), tmp_path / "red.tif"
    target.write_bytes(b"mine")

    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        asyncio.run(client().download(asset, target))
    web.log.always = Fault(cut=10)
    with pytest.raises(StorageError, match="failed 3 times"):
        asyncio.run(client().download(asset, target, overwrite=True))
    assert target.read_bytes() == b"mine"
    web.log.always = None

    asyncio.run(client().download(asset, target, overwrite=True))

    assert target.read_bytes() == BODY
    assert visible(tmp_path) == ["red.tif"]


def test_what_is_left_of_another_asset_is_not_taken(web: Web, tmp_path: Path) -> None:
    """A download that was killed on its last step leaves a whole file, which is that of its own asset alone."""
    web.has_versions = False
    web.files["/B05.tif"] = BODY[::-1]
    target = tmp_path / "red.tif"
    target.mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        asyncio.run(client().download(asset_at(f"{web.url}/B04.tif"), target, overwrite=True))
    target.rmdir()

    asyncio.run(client().download(asset_at(f"{web.url}/B05.tif"), target))

    assert target.read_bytes() == BODY[::-1]


@pytest.mark.parametrize("how", ["read", "iterate", "download"])
def test_broken_connections_are_taken_up(web: Web, tmp_path: Path, how: str) -> None:
    """What has arrived is not asked for again, if the server tells versions apart."""
    web.log.faults.extend([Fault(cut=2 << 20), Fault(status=503)])
    asset = asset_at(f"{web.url}/B04.tif")

    if how == "read":
        assert read(asset) == BODY
    elif how == "iterate":
        assert b"".join(asyncio.run(all_chunks(client(), asset))) == BODY
    else:
        assert asyncio.run(client().download(asset, tmp_path / "x")).read_bytes() == BODY

    assert [each.range_start > 0 for each in web.log.requests] == [False, True, True]


def test_another_version_is_not_appended(web: Web) -> None:
    """A file that is replaced while it is read, or whose server has no versions, ends with an error."""
    asset = asset_at(f"{web.url}/B04.tif")

    async def replaced() -> None:
        async for _ in client().iter_bytes(asset):
            web.files["/B04.tif"] = BODY[::-1]

    for web.heeds_if_range in (True, False):
        web.log.faults.append(Fault(cut=2 << 20))
        with pytest.raises(ProductDamaged, match=r"B04\.tif cannot be read: it was replaced"):
            asyncio.run(replaced())
        web.files["/B04.tif"] = BODY
    web.has_versions = False
    web.log.faults.append(Fault(cut=2 << 20))
    with pytest.raises(ProductDamaged, match="broke off at byte"):
        read(asset)


@pytest.mark.parametrize("how", ["read", "iterate", "download"])
def test_what_was_not_announced_is_refused(there: tuple[Client, Asset], tmp_path: Path, how: str) -> None:
    """Another size or another checksum than the catalog has is an error, and no file."""
    of, asset = there
    href, right = asset.primary.href, hashlib.md5(BODY).hexdigest()

    def use(asset: Asset) -> None:
        if how == "read":
            assert read(asset, of) == BODY
        elif how == "iterate":
            assert b"".join(asyncio.run(all_chunks(of, asset))) == BODY
        else:
            asyncio.run(of.download(asset, tmp_path / "out/x", overwrite=True))

    use(asset_at(href, size=len(BODY), md5=right))
    with pytest.raises(ProductDamaged, match=rf"{len(BODY)} bytes.*{len(BODY) + 1} were announced|instead of"):
        use(asset_at(href, size=len(BODY) + 1))
    with pytest.raises(ProductDamaged, match="MD5 checksum"):
        use(asset_at(href, md5="0" * 32))


def test_large_assets_are_not_read(web: Web) -> None:
    """max_bytes refuses by the announced size, and while it reads where none is announced."""
    assert read(asset_at(f"{web.url}/B04.tif"), max_bytes=len(BODY)) == BODY

    with pytest.raises(ArgumentError, match=rf"has {len(BODY)} bytes, which is more than max_bytes=1000"):
        read(asset_at(f"{web.url}/B04.tif"), max_bytes=1000)


def test_pages_in_place_of_files_are_refused(web: Web, tmp_path: Path) -> None:
    """A login page with status 200 is no file; a page that is the asset is."""
    web.files["/MTL.json"], web.files["/B05.tif"] = b"{}", b"<html>log in</html>"
    web.kinds |= {"/MTL.json": "application/json; charset=utf-8", "/B05.tif": "text/html"}
    page = asset_at(f"{web.url}/B05.tif?sig=topsecret", media_type="image/tiff")

    with pytest.raises(StorageError, match=r"sent a page \(text/html\) instead of the file B05\.tif;") as caught:
        asyncio.run(client().download(page, tmp_path / "x"))
    assert visible(tmp_path) == []
    assert "topsecret" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(StorageError, match="sent a page"):
        read(asset_at(f"{web.url}/B05.tif", media_type="application/json"))
    with pytest.raises(StorageError, match="sent a page"):
        read(asset_at(f"{web.url}/MTL.json"))
    assert read(asset_at(f"{web.url}/MTL.json", media_type="application/json")) == b"{}"


def test_errors_of_servers_are_one_sentence(web: Web) -> None:
    """No such file, and a refused one."""
    with pytest.raises(NotFoundError, match=r"127\.0\.0\.1 has no B09\.tif"):
        read(asset_at(f"{web.url}/B09.tif"))
    web.log.always = Fault(status=403)
    with pytest.raises(AuthenticationError, match=r"refuses access to B04\.tif \(403\)"):
        read(asset_at(f"{web.url}/B04.tif"))


def test_redirects_are_followed_within_the_web(web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """To another server, not in circles, not to other schemes; and no password of a netrc is sent."""
    (tmp_path / "netrc").write_text("default login me password topsecret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with web_server("127.0.0.2") as other:
        other.files["/B04.tif"] = BODY
        web.redirects |= {"/moved": f"{other.url}/B04.tif", "/circle": "/circle", "/ftp": "ftp://127.0.0.2/B04.tif"}

        assert read(asset_at(f"{web.url}/moved")) == BODY
        with pytest.raises(StorageError, match="more than 10 redirects"):
            read(asset_at(f"{web.url}/circle"))
        with pytest.raises(StorageError, match="unencrypted address"):
            read(asset_at(f"{web.url}/ftp"))

        assert not [each for each in other.log.requests + web.log.requests if "authorization" in each.headers]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("http://example.org/x", r"leads to an unencrypted address of 'example\.org'"),
        ("https://169.254.169.254/x", r"leads to '169\.254\.169\.254', which is no address of the web"),
        ("https://[::1]/x", "which is no address of the web"),
    ],
)
def test_unsafe_redirects_are_refused(target: str, sentence: str) -> None:
    """A server of the web leads neither to an unencrypted address nor into the network of the reader."""
    from tilebox_celery.storage.web import check_redirect

    with pytest.raises(StorageError, match=sentence):
        check_redirect(target, "https://example.com/B04.tif")
    check_redirect("https://cdn.example.net/x", "https://example.com/B04.tif")


def test_local_files_lie_below_the_root(tmp_path: Path) -> None:
    """Hrefs are data of others: without a root, outside of it, and through links out of it nothing is read."""
    root, secret = tmp_path / "root", tmp_path / "secret.tif"
    root.mkdir()
    secret.write_bytes(b"secret")
    (root / "link.tif").symlink_to(secret)
    (root / "a b.tif").write_bytes(b"ok")
    of = client(local_root=root)

    assert read(asset_at(f"file://{root}/a%20b.tif"), of) == read(asset_at("a b.tif"), of) == b"ok"
    for href in (str(secret), f"file://{secret}", "../secret.tif", f"{root}/../secret.tif", f"file://{root}/%2e%2e/x"):
        with pytest.raises(ArgumentError, match="could lead out of its folder"):
            of.resolve(asset_at(href))
    with pytest.raises(StorageError, match="links that lead out"):
        read(asset_at("link.tif"), of)
    with pytest.raises(NotFoundError, match=r"has no 'gone\.tif'"):
        read(asset_at("gone.tif"), of)
    with pytest.raises(ArgumentError, match="below local_root= only"):
        client().resolve(asset_at("a b.tif"))


@pytest.mark.clause("2.storage-1")
def test_the_best_location_that_can_be_read_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket before the web, unless it wants a login that is not there; the policy may turn the order around."""
    asset = Asset(
        "red",
        AssetLocation("https://example.org/B04.tif"),
        {"s3": AssetLocation("s3://bucket/B04.tif", storage_schemes=PAYS), "gs": AssetLocation("gs://bucket/B04.tif")},
    )

    assert client().resolve(asset).href == "https://example.org/B04.tif"
    assert client(access_key="k", secret_access_key="s").resolve(asset).href == "s3://bucket/B04.tif"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    found = client().resolve(asset)
    assert (found.href, found.path, found.storage_scheme) == ("s3://bucket/B04.tif", "B04.tif", PAYS[""])
    assert client(policy=AssetAccessPolicy(("https", "s3"))).resolve(asset).href == "https://example.org/B04.tif"
    assert "s3cr3t" not in repr(found)
    assert "s3cr3t" not in repr(client(secret_access_key="s3cr3t"))


def test_what_cannot_be_resolved_is_told_with_all_reasons() -> None:
    """Each location has its reason; queries of URLs, which may be signed, are not shown."""
    schemes = {"a": StorageScheme(), "b": StorageScheme()}
    asset = Asset(
        "red",
        AssetLocation("gs://bucket/x"),
        {
            "s3": AssetLocation("s3://bucket/x", storage_schemes=PAYS),
            "two": AssetLocation("s3://bucket/x", storage_schemes=schemes),
            "short": AssetLocation("s3://bucket"),
            "login": AssetLocation(
                "https://example.org/x?sig=topsecret", authentication_schemes={"o": AuthenticationScheme("oauth2")}
            ),
            "evil": AssetLocation(
                "s3://eodata/x", storage_schemes={"e": StorageScheme("custom-s3", "http://example.org")}
            ),
        },
    )

    with pytest.raises(ArgumentError) as caught:
        client().resolve(asset)

    text = str(caught.value)
    assert "primary (gs://bucket/x): gs:// is not supported" in text
    assert "s3 (s3://bucket/x): the bucket bucket needs a login: pass access_key= or set AWS_ACCESS_KEY_ID" in text
    assert "several storage schemes apply to it: a, b" in text
    assert "form s3://bucket/key" in text
    assert "login (https://example.org/x): a login of the kind 'oauth2' is not supported" in text
    assert "the storage platform 'http://example.org' is not supported" in text


def test_buckets_are_asked_as_their_schemes_say(landsat: Provider, tmp_path: Path) -> None:
    """The service, the login and who pays are those of the schemes."""
    endpoint = landsat.client(tmp_path)._source._bucket.endpoint
    storage = {"l": StorageScheme("custom-s3", endpoint, "us-west-2", requester_pays=True)}
    location = AssetLocation(f"s3://usgs-landsat/{LANDSAT}/manifest.safe", storage_schemes=storage)

    assert read(Asset("x", location), client(access_key="key", secret_access_key="s3cr3t")) == b"<xml/>"

    for each in landsat.log.requests:
        assert each.headers["x-amz-request-payer"] == "requester"
        assert "Credential=key/" in each.headers["authorization"]
        assert "/us-west-2/" in each.headers["authorization"]


def test_keys_of_the_environment_are_sent_where_they_are_wanted(
    umbra: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public bucket is asked without them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    of = client(s3_endpoint_url=umbra.client(tmp_path)._source._bucket.endpoint)
    href = f"s3://{umbra.bucket}/{umbra.prefix}/manifest.safe"

    read(asset_at(href), of)
    assert not [each for each in umbra.log.requests if "authorization" in each.headers]
    read(Asset("x", AssetLocation(href, authentication_schemes={"s3": AuthenticationScheme("s3")})), of)
    assert "Credential=mine/" in umbra.log.requests[-1].headers["authorization"]


def test_reads_overlap_and_end_early(web: Web) -> None:
    """Slow files are read at the same time, and a reader that has seen enough leaves no request behind."""
    web.log.bytes_per_second = 6 << 20
    asset = asset_at(f"{web.url}/B04.tif")

    async def use() -> None:
        of = client()
        await asyncio.gather(*(of.read_bytes(asset) for _ in range(3)))
        assert web.log.most_in_flight == 3
        iterator = of.iter_bytes(asset)
        assert await anext(iterator) == BODY[: 1 << 20]
        await iterator.aclose()  # type: ignore[attr-defined]  # of the generator that it is
        task = asyncio.create_task(of.read_bytes(asset))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(use())
    assert web.log.in_flight <= 1  # the server may not have noticed yet


def test_signatures_are_in_no_log(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    """Not even at debug."""
    caplog.set_level(logging.DEBUG)

    read(asset_at(f"{web.url}/B04.tif?se=2024&sig=topsecret&sp=r"))

    assert "GET /B04.tif" in caplog.text
    assert "topsecret" not in caplog.text
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(client(secret_access_key="s3cr3t"))
