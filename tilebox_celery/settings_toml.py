"""Read the settings of a folder: ``tilebox-celery.toml``, or ``[tool.tilebox-celery]`` in ``pyproject.toml``."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tilebox_celery.errors import ArgumentError

TABLE = "tilebox-celery"


@dataclass(frozen=True)
class SettingsFile:
    """The settings that one file sets."""

    path: Path
    values: Mapping[str, str] = field(repr=False)
    """As an environment variable would hold them; they may hold passwords."""


def read_settings_file(folder: Path, known: Collection[str]) -> SettingsFile | None:
    """Return the settings of a folder; None if no file there sets any.

    Parents are not searched: what lies in ``/tmp`` must not choose the ledger of a program below it.

    Args:
        folder: Where to look, first for ``tilebox-celery.toml``.
        known: Names of all settings.

    Raises:
        ArgumentError: A file cannot be read, or sets what is no setting; the message names file and key.
    """
    own, project = folder / "tilebox-celery.toml", folder / "pyproject.toml"
    if own.is_file():
        return SettingsFile(own, _texts(own, _parse(own), known))
    if project.is_file():
        tool = _parse(project).get("tool")
        if isinstance(tool, dict) and TABLE in tool:
            return SettingsFile(project, _texts(project, tool[TABLE], known))
    return None


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        reason = error.strerror if isinstance(error, OSError) else error
        raise ArgumentError(f"{path} cannot be read as TOML: {reason}.") from error


def _texts(path: Path, table: Any, known: Collection[str]) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ArgumentError(f"{path}: tool.{TABLE} must be a table, [tool.{TABLE}].")
    texts: dict[str, str] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"settings are {', '.join(sorted(known))}."
            raise ArgumentError(f"{path} sets '{key}', which is no setting: {hint}")
        if not isinstance(value, str | int | float):
            raise ArgumentError(f"{path}: {key} must be a text, a number, true or false.")
        texts[name] = str(value).lower() if isinstance(value, bool) else str(value)
    if home := texts.get("home"):
        texts["home"] = str(path.parent / Path(home).expanduser())  # an absolute path stays as it is
    return texts
