"""Flower with our settings: it shows what runs to those who log in, and can change nothing."""

import base64
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.error import HTTPError

import pytest

from tests.project.checkout import running_server
from tests.project.compose import VARIABLES, read_services
from tests.project.rabbitmq_server import free_ports
from tilebox_celery.embedded.binaries import valkey_program
from tilebox_celery.settings_files import config_path

SERVICE = read_services(VARIABLES)["flower"]


@dataclass(frozen=True)
class Page:
    """What Flower answered."""

    status: int
    text: str


@dataclass(frozen=True)
class Flower:
    """A running Flower."""

    port: int

    def ask(self, path: str, login: str | None = None, data: bytes | None = None) -> Page:
        """Fetch a page, or post to it, perhaps with ``name:password``."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        if login:
            request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Page(answer.status, answer.read().decode())
        except HTTPError as error:
            with error:
                return Page(error.code, error.read().decode())


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey that has loaded our valkey.conf, on a socket of its own."""
    folder = tmp_path_factory.mktemp("valkey")
    command = [valkey_program(), config_path("valkey.conf"), "--unixsocket", folder / "v.sock", "--dir", folder]
    with running_server(command, "Ready to accept connections", folder):
        yield f"redis+socket://{folder / 'v.sock'}"


@pytest.fixture(scope="module")
def flower(broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flower]:
    """Stock Flower with our flowerconfig.py and the login that compose.yaml hands to it."""
    [port] = free_ports(1)
    options = [f"--port={port}", f"--conf={config_path('flowerconfig.py')}"]
    command = [sys.executable, "-m", "celery", "--broker", broker_url, "flower", *options]
    environment = {**os.environ, "FLOWER_BASIC_AUTH": SERVICE.environment["FLOWER_BASIC_AUTH"]}
    with running_server(command, "Connected to", tmp_path_factory.mktemp("flower"), environment):
        yield Flower(port)


def test_nobody_looks_without_a_login(flower: Flower) -> None:
    """Pages and API answer 401 to a stranger and 200 to who logs in."""
    paths = ["/workers", "/tasks", "/api/workers"]

    answers = [(flower.ask(path).status, flower.ask(path, "me:fl1").status) for path in paths]

    assert answers == [(401, 200)] * 3


def test_nobody_can_send_or_stop_anything(flower: Flower) -> None:
    """Even with a login Flower neither sends tasks nor stops workers."""
    paths = ["/api/task/send-task/greet", "/api/worker/shutdown/celery@here"]

    answers = [flower.ask(path, "me:fl1", data=b"{}") for path in paths]

    assert [answer.status for answer in answers] == [403, 403]
    assert "read only" in answers[0].text.lower()


def test_health_check_of_the_stack_passes(flower: Flower) -> None:
    """The command by which Compose sees whether Flower is alive succeeds on a live one and fails without."""
    checks = [word.replace("5555", str(port)) for word in SERVICE.health[-1:] for port in (flower.port, 1)]

    codes = [
        subprocess.run([sys.executable, "-c", check], check=False, stderr=subprocess.DEVNULL).returncode
        for check in checks
    ]

    assert codes == [0, 1]
