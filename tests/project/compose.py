"""Read ``docker/compose.yaml`` as Docker Compose would, so that its commands can be run without Docker."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.project.checkout import ROOT

COMPOSE = ROOT / "docker" / "compose.yaml"
# What a person would write into docker/.env.
VARIABLES = {"POSTGRES_PASSWORD": "pg1", "VALKEY_PASSWORD": "vk1", "FLOWER_BASIC_AUTH": "me:fl1"}
# ${NAME}, ${NAME:-default} and ${NAME:?what to do}; $$ is a dollar sign.
VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """One service: what it runs, with which environment, and which files of the checkout it sees where."""

    name: str
    command: list[str]
    health: list[str]
    environment: dict[str, str]
    files: dict[str, Path]
    ports: list[str]
    raw: dict[str, Any]


def read_services(variables: dict[str, str]) -> dict[str, Service]:
    """Return the services by name, with variables filled in.

    Raises:
        KeyError: A required variable is not given; the message is the one of the file.
    """
    raw = fill(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")), variables)
    return {name: _service(name, service) for name, service in raw["services"].items()}


def fill(value: Any, variables: dict[str, str]) -> Any:
    """Return a value of the file with its variables replaced, all the way down."""
    if isinstance(value, dict):
        return {key: fill(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, variables) for inner in value]
    return VARIABLE.sub(lambda match: _replace(match, variables), value) if isinstance(value, str) else value


def _replace(match: re.Match[str], variables: dict[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    if value := variables.get(match["name"]):
        return value
    if match["kind"] == "-":
        return match["rest"]
    raise KeyError(match["rest"] or match["name"])


def _service(name: str, raw: dict[str, Any]) -> Service:
    mounts = [volume.split(":") for volume in raw.get("volumes", []) if volume.startswith(".")]
    return Service(
        name=name,
        command=raw["command"],
        health=raw.get("healthcheck", {}).get("test", [])[1:],
        environment=raw.get("environment", {}),
        files={mount[1]: (COMPOSE.parent / mount[0]).resolve() for mount in mounts},
        ports=raw.get("ports", []),
        raw=raw,
    )
