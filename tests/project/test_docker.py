"""The Docker files are valid, safe by default, and every command in them runs, here without Docker."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.project.checkout import ROOT, running_server
from tests.project.compose import COMPOSE, VARIABLES, Service, read_services
from tests.project.rabbitmq_server import free_ports
from tilebox_celery.embedded.binaries import postgres_folders, valkey_program

SERVICES = read_services(VARIABLES)
OURS = [service for service in SERVICES.values() if service.command[0] == "tilebox-celery"]
OUR_COMMANDS = [words for service in OURS for words in (service.command, service.health) if "tilebox-celery" in words]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    """Hold a file against the Compose Specification's own schema."""
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_compose_file_fits_the_schema() -> None:
    """compose.yaml is valid by the schema of the Compose Specification."""
    checked = validate(COMPOSE)

    assert checked.returncode == 0, checked.stdout


def test_schema_finds_a_misspelled_field(tmp_path: Path) -> None:
    """The schema check would notice a field that Compose does not know."""
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text(encoding="utf-8").replace("stop_grace_period", "stop_grace_time"))

    checked = validate(wrong)

    assert checked.returncode == 1
    assert "stop_grace_time" in checked.stdout


def test_promised_services_are_there() -> None:
    """The stack has a ledger, a broker, a runner and Flower."""
    assert {"postgres", "valkey", "runner", "flower"} <= SERVICES.keys()


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.name)
def test_ports_are_loopback_only(service: Service) -> None:
    """No service can be reached from another machine."""
    assert all(port.startswith("127.0.0.1:") for port in service.ports)


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.name)
def test_images_are_pinned(service: Service) -> None:
    """Each image that is not built here has a tag with a version."""
    assert "build" in service.raw or re.search(r":\d", service.raw["image"])


@pytest.mark.parametrize("service", OURS, ids=lambda service: service.name)
def test_our_containers_are_locked_down(service: Service) -> None:
    """Our containers cannot write outside of their volumes and gain no privileges."""
    raw = service.raw

    assert (raw["read_only"], raw["cap_drop"], raw["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])


@pytest.mark.parametrize("missing", VARIABLES)
def test_missing_secret_is_named(missing: str) -> None:
    """No secret has a default: without one Compose stops and says which file to copy."""
    with pytest.raises(KeyError, match=r"copy docker/\.env\.example to docker/\.env"):
        read_services({name: value for name, value in VARIABLES.items() if name != missing})


def test_example_lists_every_variable() -> None:
    """The example of the .env file has a line for each variable that compose.yaml uses."""
    example = (COMPOSE.parent / ".env.example").read_text(encoding="utf-8")

    used = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    assert used == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_image_runs_as_nobody_special() -> None:
    """The last stage has a version, a health check, and a user that is not root."""
    last = DOCKERFILE.split("\nFROM ")[-1]

    assert re.match(r"\S+:\d", last)
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    assert "\nHEALTHCHECK " in last


def test_image_copies_what_exists() -> None:
    """Each source that the image is built from lies in the checkout, and the ignore file lets it through."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    let_through = (ROOT / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()

    assert all((ROOT / source).exists() for source in sources)
    assert {f"!{source}" for source in sources} <= set(let_through)


def test_valkey_command_asks_for_the_password(tmp_path: Path) -> None:
    """The broker's command starts a real Valkey with our settings that refuses a client without the password."""
    service = SERVICES["valkey"]
    [port] = free_ports(1)
    here = {"valkey-server": str(valkey_program()), "6379": str(port), "0.0.0.0": "127.0.0.1", "/data": str(tmp_path)}
    here |= {inside: str(outside) for inside, outside in service.files.items()}
    command = [here.get(word, word) for word in service.command]
    password = VARIABLES["VALKEY_PASSWORD"]

    with (
        running_server(command, "Ready to accept connections", tmp_path),
        redis.Redis(port=port, password=password) as known,
        redis.Redis(port=port) as stranger,
    ):
        answer, policy = known.ping(), known.config_get("maxmemory-policy")
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()

    assert (answer, policy) == (True, {"maxmemory-policy": "noeviction"})


def test_postgres_command_is_understood(tmp_path: Path) -> None:
    """Postgres accepts each setting on the ledger's command line."""
    service, bin_folder = SERVICES["postgres"], max(postgres_folders().items())[1]
    (tmp_path / "postgresql.conf").touch()
    settings = [word for word in service.command if "=" in word]

    for setting in settings:
        name, _, value = setting.partition("=")
        # -C prints the setting that a server started like this would have.
        command = [bin_folder / service.command[0], "-C", name, "-D", tmp_path, *service.command[1:]]
        asked = subprocess.run(command, check=False, capture_output=True, text=True)
        assert asked.stdout.strip() == value, asked.stderr


@pytest.mark.parametrize("command", OUR_COMMANDS, ids=" ".join)
def test_our_command_is_understood(command: list[str]) -> None:
    """The command line knows each command of the stack with all its options."""
    asked = subprocess.run(
        [*command, "--help"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
    )

    assert asked.returncode == 0, asked.stderr
