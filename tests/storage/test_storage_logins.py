"""Credentials: which are missing, which are wrong, and that they go nowhere but to their host."""

import logging
import pickle
import traceback
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.storage.earthdata_imitation import CODE, PASSWORD, SIGNATURE, USER
from tests.storage.faulty_server import Fault, Handler, Log, Request, serving
from tests.storage.providers import Provider
from tests.storage.test_storage_conformance import contents
from tilebox_celery.errors import ArgumentError, AuthenticationError, StorageError
from tilebox_celery.storage import ASFStorageClient, CopernicusStorageClient, aio

BASIC = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.mark.clause("1.12-2")
@pytest.mark.parametrize("module", ["sync", "aio"])
def test_missing_credentials_name_provider_and_variable(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the constructor says which provider needs which argument or variable."""
    copernicus: Any = CopernicusStorageClient if module == "sync" else aio.CopernicusStorageClient
    earthdata: Any = ASFStorageClient if module == "sync" else aio.ASFStorageClient
    with pytest.raises(ArgumentError, match=r"Copernicus .*access_key= or set AWS_ACCESS_KEY_ID"):
        copernicus()
    with pytest.raises(ArgumentError, match="AWS_SECRET_ACCESS_KEY"):
        copernicus(access_key="key")
    with pytest.raises(ArgumentError, match=r"ASF .*user= or set EARTHDATA_USERNAME"):
        earthdata()
    with pytest.raises(ArgumentError, match="EARTHDATA_PASSWORD"):
        earthdata(user="me", password="")

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "EARTHDATA_USERNAME", "EARTHDATA_PASSWORD"):
        monkeypatch.setenv(name, "from-environment")
    assert "from-environment" not in repr(copernicus())
    assert "user='from-environment'" in repr(earthdata())


def test_password_goes_to_the_login_host_alone(asf: Provider, tmp_path: Path) -> None:
    """Of the three hosts only the login host sees an Authorization header, and is asked once for two products."""
    client = asf.client(tmp_path / "data")

    client.download(asf.datapoint)
    client.download(asf.datapoint, output_dir=tmp_path / "out")

    with_login = [each for each in asf.log.requests if "authorization" in each.headers]
    assert [(each.host, each.headers["authorization"]) for each in with_login] == [("127.0.0.2", BASIC)]
    assert {each.host for each in asf.log.requests} == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}


def test_netrc_is_not_sent(asf: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ~/.netrc that names one of the hosts does not add a login of its own."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\nmachine 127.0.0.3 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    assert contents(asf.client(tmp_path / "data").download(asf.datapoint)) == asf.files


def test_wrong_password_is_told(asf: Provider, tmp_path: Path) -> None:
    """The sentence names the host, the user and the variables, and not the password."""
    assert asf.earthdata is not None
    hosts = asf.earthdata
    client = ASFStorageClient(
        USER, "wrong-password", tmp_path / "data", data_url=hosts.data_url, login_url=hosts.login_url
    )

    with pytest.raises(AuthenticationError, match=r"127\.0\.0\.2.*'me'.*EARTHDATA_PASSWORD") as caught:
        client.download(asf.datapoint)

    assert "wrong-password" not in "".join(traceback.format_exception(caught.value))
    assert not (tmp_path / "data/ASF").exists()


def test_missing_eula_is_told(asf: Provider, tmp_path: Path) -> None:
    """A right password without the consent that ASF wants is a different sentence."""
    assert asf.earthdata is not None
    asf.earthdata.has_eula = False

    with pytest.raises(AuthenticationError, match="EULA"):
        asf.client(tmp_path / "data").download(asf.datapoint)


def test_login_page_is_not_stored(asf: Provider, tmp_path: Path) -> None:
    """A login host that shows its page with status 200 gives one sentence, and no file."""
    assert asf.earthdata is not None
    asf.earthdata.asks_for_password = False

    with pytest.raises(StorageError, match=r"sent a page \(text/html\)"):
        asf.client(tmp_path / "data").download(asf.datapoint)

    assert not list((tmp_path / "data").rglob("*.zip"))


class _Elsewhere(Handler):
    def answer(self, request: Request) -> None:
        self.send(request, 200, {}, b"PK")


def test_redirect_to_a_strange_host_is_refused(asf: Provider, tmp_path: Path) -> None:
    """A host that is not on the list is never asked, with or without a password."""
    log = Log()
    with serving(_Elsewhere, log, "127.0.0.9", "127.0.0.9") as url:
        asf.log.always = Fault(status=302, headers={"Location": f"{url}/x.zip"})

        with pytest.raises(StorageError, match=r"'127\.0\.0\.9', which is not trusted"):
            asf.client(tmp_path / "data").download(asf.datapoint)

    assert log.requests == []


@pytest.mark.parametrize("host", ["127.0.0.2", "127.0.0.3"])
def test_redirect_that_two_parsers_read_differently_is_refused(asf: Provider, tmp_path: Path, host: str) -> None:
    """An address that names the login host after a backslash gets neither the password nor a request."""
    log, hosts = Log(), asf.earthdata
    assert hosts is not None
    named = hosts.login_url if host == "127.0.0.2" else hosts.store_url
    with serving(_Elsewhere, log, "127.0.0.9", "127.0.0.9") as url:
        asf.log.always = Fault(status=302, headers={"Location": f"{url}\\@{named.removeprefix('http://')}/x"})

        with pytest.raises(StorageError, match=r"'127\.0\.0\.9', which is not trusted"):
            asf.client(tmp_path / "data").download(asf.datapoint)

    assert log.requests == []


@pytest.mark.parametrize(
    "address", ["http://127.0.0.3:abc/", "http://[::1/x", "http://127.0.0.3:99999/", "ftp://127.0.0.3/x", ""]
)
def test_redirect_to_no_address_is_one_sentence(asf: Provider, tmp_path: Path, address: str) -> None:
    """A Location that is missing or cannot be an address is refused in one sentence, at once."""
    asf.log.always = Fault(status=302, headers={"Location": address})

    with pytest.raises(StorageError, match="leads to no address"):
        asf.client(tmp_path / "data").download(asf.datapoint)

    assert len(asf.log.data_requests()) == 1


def test_redirects_come_to_an_end(asf: Provider, tmp_path: Path) -> None:
    """Hosts that send each other around are given up."""
    assert asf.earthdata is not None
    asf.log.always = Fault(status=302, headers={"Location": f"{asf.earthdata.store_url}/x.zip"})

    with pytest.raises(StorageError, match="more than 10 redirects"):
        asf.client(tmp_path / "data").download(asf.datapoint)


@pytest.mark.parametrize(("code", "status"), [("InvalidAccessKeyId", 403), ("SignatureDoesNotMatch", 403), ("X", 401)])
def test_wrong_keys_are_told(copernicus: Provider, tmp_path: Path, code: str, status: int) -> None:
    """The sentence names the provider, the variables, and that keys expire and quotas end."""
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    copernicus.log.always = Fault(status=status, headers={"Content-Type": "application/xml"}, body=body)

    with pytest.raises(AuthenticationError, match=rf"Copernicus .*\({code}\).*AWS_SECRET_ACCESS_KEY.*expire.*quota"):
        copernicus.client(tmp_path / "data").download(copernicus.datapoint)


def test_umbra_is_asked_without_a_login(umbra: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that lie about in the environment are not sent; an object that is not public is told."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    client = umbra.client(tmp_path / "data")

    client.download(umbra.datapoint)
    assert not [each for each in umbra.log.requests if "authorization" in each.headers]

    umbra.s3.put_object(Bucket=umbra.bucket, Key=f"{umbra.prefix}/private.tif", Body=b"x")
    with pytest.raises(AuthenticationError, match="not public"):
        client.download_objects(umbra.datapoint, ["private.tif"])


def test_secrets_are_in_no_log_repr_or_error(
    remote: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Passwords, secret keys, login codes and signatures of URLs are in no log, not even at debug, and in no repr."""
    caplog.set_level(logging.DEBUG)
    client = remote.client(tmp_path / "data")
    remote.log.faults.append(Fault(cut=10))

    client.download(remote.datapoint)
    remote.log.always = Fault(cut=10)
    with pytest.raises(StorageError) as caught:
        client.download(remote.datapoint, output_dir=tmp_path / "out")

    shown = caplog.text + repr(client) + "".join(traceback.format_exception(caught.value))
    for secret in (PASSWORD, "s3cr3t", BASIC.removeprefix("Basic "), SIGNATURE, f"code={CODE}"):
        assert secret not in shown
    pickled = b""
    with suppress(TypeError):  # was given a secret
        pickled = pickle.dumps(client)
    assert PASSWORD.encode() not in pickled
    assert b"s3cr3t" not in pickled
