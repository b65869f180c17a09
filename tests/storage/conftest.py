"""The servers of the storage clients, and each provider in turn."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.storage.providers import PROVIDERS, Provider, s3_client


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """A server that speaks S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3(moto_url: str) -> Any:
    """The owner of all buckets."""
    return s3_client(moto_url)


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest, s3: Any, moto_url: str, tmp_path: Path) -> Iterator[Provider]:
    """Each provider in turn, with one product."""
    with PROVIDERS[request.param](s3, moto_url, tmp_path) as provider:
        yield provider


@pytest.fixture(params=["copernicus", "umbra", "asf"])
def remote(request: pytest.FixtureRequest, s3: Any, moto_url: str, tmp_path: Path) -> Iterator[Provider]:
    """Each provider that is reached over a network."""
    with PROVIDERS[request.param](s3, moto_url, tmp_path) as provider:
        yield provider


@pytest.fixture
def copernicus(s3: Any, moto_url: str, tmp_path: Path) -> Iterator[Provider]:
    """The Copernicus Data Space."""
    with PROVIDERS["copernicus"](s3, moto_url, tmp_path) as provider:
        yield provider


@pytest.fixture
def umbra(s3: Any, moto_url: str, tmp_path: Path) -> Iterator[Provider]:
    """Umbra."""
    with PROVIDERS["umbra"](s3, moto_url, tmp_path) as provider:
        yield provider


@pytest.fixture
def landsat(s3: Any, moto_url: str, tmp_path: Path) -> Iterator[Provider]:
    """The bucket of USGS."""
    with PROVIDERS["landsat"](s3, moto_url, tmp_path) as provider:
        yield provider


@pytest.fixture
def asf(s3: Any, moto_url: str, tmp_path: Path) -> Iterator[Provider]:
    """ASF behind Earthdata Login."""
    with PROVIDERS["asf"](s3, moto_url, tmp_path) as provider:
        yield provider


@pytest.fixture(autouse=True)
def _no_credentials_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environment of the machine out of the tests."""
    aws = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    for name in (*aws, "EARTHDATA_USERNAME", "EARTHDATA_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
