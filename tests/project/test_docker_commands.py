"""The commands of compose.yaml do their work, in its order, on a real Postgres and a real Valkey without Docker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.checkout import running_server
from tests.project.compose import VARIABLES, read_services
from tests.project.rabbitmq_server import free_ports
from tilebox_celery.workflows import Client

SERVICES = read_services(VARIABLES)


@pytest.fixture
def environment(ledger_url: str, tilebox_broker_url: str) -> dict[str, str]:
    """What the containers of our image share: the URLs, and the image's PATH."""
    urls = {"TILEBOX_CELERY_LEDGER_URL": ledger_url, "TILEBOX_CELERY_BROKER_URL": tilebox_broker_url}
    assert urls.keys() <= SERVICES["runner"].environment.keys()
    return {**os.environ, **urls, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def finish(command: list[str], environment: dict[str, str], folder: Path) -> int:
    """Run a command that ends by itself."""
    return subprocess.run(command, check=False, env=environment, cwd=folder, timeout=60).returncode


@pytest.mark.system
def test_stack_comes_up_in_order_and_runs_a_job(environment: dict[str, str], client: Client, tmp_path: Path) -> None:
    """`ledger` and `cluster` end with 0, also the second time; then the runner is healthy and executes a job."""
    prepared = [finish(SERVICES[name].command, environment, tmp_path) for name in ("ledger", "cluster") * 2]
    runner = SERVICES["runner"]
    environment |= {"PYTHONPATH": str(runner.files[runner.environment["PYTHONPATH"]])}

    with running_server(runner.command, "Runner of cluster docker, 2 slots", tmp_path, environment):
        job = finish(
            ["tilebox-celery", "job", "submit", "-t", "Hello", "-i", '"Docker"', "-c", "docker", "--wait"],
            environment,
            tmp_path,
        )
        healthy = finish(runner.health, environment, tmp_path)

    assert (prepared, job, healthy) == ([0] * 4, 0, 0)
    assert [str(each.state) for each in client.jobs().query(clusters=["docker"])] == ["COMPLETED"]


@pytest.mark.system
def test_flower_is_healthy(environment: dict[str, str], tmp_path: Path) -> None:
    """Flower starts by its command, with the login of the environment, and answers its health check."""
    flower, [port] = SERVICES["flower"], free_ports(1)
    command, health = ([word.replace("5555", str(port)) for word in words] for words in (flower.command, flower.health))
    environment |= {"FLOWER_BASIC_AUTH": flower.environment["FLOWER_BASIC_AUTH"]}

    with running_server(command, "Connected to", tmp_path, environment):
        healthy = finish(health, environment, tmp_path)

    assert healthy == 0
