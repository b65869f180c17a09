"""Read every environment variable and the settings file once, into one frozen Settings value."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tilebox_celery.errors import ArgumentError
from tilebox_celery.settings_toml import SettingsFile, read_settings_file
from tilebox_celery.settings_urls import check_broker_url, check_ledger_url, redact_text, redact_url

__all__ = ["Settings", "check_ledger_url", "database_url", "default_home", "redact_text", "redact_url", "settings_file"]

PREFIX = "TILEBOX_CELERY_"
MOST_BYTES = 2**31 - 1
"""Postgres takes no longer text."""
LEAST_SECONDS, MOST_SECONDS = 0.001, 366 * 24 * 3600
VENDOR_URL = "https://api.tilebox.com"


def default_home() -> Path:
    """Return the directory of the embedded stack: ``TILEBOX_CELERY_HOME`` or ``~/.local/share/tilebox-celery``."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(os.environ.get(PREFIX + "HOME") or Path(base) / "tilebox-celery").expanduser()


@dataclass(frozen=True)
class Settings:
    """All settings of one process.

    Example:
        >>> Settings.from_environment({"TILEBOX_CELERY_MAX_INPUT_BYTES": "2048"}).max_input_bytes
        2048
    """

    ledger_url: str | None = field(default=None, repr=False)
    """``postgresql://`` URL of the ledger; None means the embedded stack."""
    broker_url: str | None = field(default=None, repr=False)
    """``redis://``, ``rediss://``, ``redis+socket://`` or ``amqp(s)://`` URL; None means the embedded stack."""
    home: Path = field(default_factory=default_home)
    """Data directory of the embedded stack."""
    max_input_bytes: int = 1024 * 1024
    """Largest serialised input of one task."""
    max_result_bytes: int = 1024 * 1024
    """Largest JSON result of one Celery task in a canvas."""
    max_subtasks: int = 64
    """Subtasks that one execution may submit, unless its class says otherwise."""
    lease: timedelta = timedelta(seconds=30)
    """How long a slot may be silent before its tasks go to another runner."""
    heartbeat: timedelta = timedelta(seconds=5)
    """How often the keeper renews the leases of a worker."""
    grace: timedelta = timedelta(seconds=25)
    """How long a running task may go on after the first SIGTERM."""
    batch: timedelta = timedelta(milliseconds=100)
    """Expected work that one claim takes."""
    wake_by: str = "notify"
    """How this process wants its wake-ups: ``notify`` (Postgres) or ``broker`` (Celery message)."""
    event_args: bool = False
    """Put task inputs into Celery events; off, since Flower may be open to more people than the ledger."""
    idle_stop: timedelta = timedelta(seconds=60)
    """How long the embedded servers stay up after the last user has left."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from ``TILEBOX_CELERY_*``, and what is not set there from the file of this directory.

        Args:
            environ: Variables to read; None reads the process environment and the file.

        Raises:
            ArgumentError: A variable or the file has a value that cannot be used; the message names it.
        """
        file = settings_file() if environ is None else None
        values = _Values(os.environ if environ is None else environ, file)
        settings = cls(
            ledger_url=values.get("ledger_url"),
            broker_url=values.get("broker_url"),
            home=Path(home).expanduser() if (home := values.get("home")) else default_home(),
        )
        if settings.ledger_url:
            check_ledger_url(settings.ledger_url)
        if settings.broker_url:
            check_broker_url(settings.broker_url)
        changes: dict[str, object] = {}
        for name in ("max_input_bytes", "max_result_bytes", "max_subtasks"):
            if text := values.get(name):
                changes[name] = _positive_int(values.source(name), text)
        for name in ("lease", "heartbeat", "grace", "batch", "idle_stop"):
            if text := values.get(name):
                changes[name] = timedelta(seconds=_positive_float(values.source(name), text))
        _check_heartbeat(values, {**vars(settings), **changes})
        if text := values.get("wake_by"):
            if text not in ("notify", "broker"):
                raise ArgumentError(f"{values.source('wake_by')} is '{text}', but must be 'notify' or 'broker'.")
            changes["wake_by"] = text
        if text := values.get("event_args"):
            changes["event_args"] = _truth(values.source("event_args"), text)
        return replace(settings, **changes)  # type: ignore[arg-type]  # the names above are fields of the right type


class _Values:
    """Texts of settings: an environment variable wins over the file; an empty one counts as not set."""

    def __init__(self, environ: Mapping[str, str], file: SettingsFile | None) -> None:
        self._environ = environ
        self._file = file

    def get(self, name: str) -> str | None:
        return self._environ.get(PREFIX + name.upper()) or (self._file.values.get(name) if self._file else None) or None

    def source(self, name: str) -> str:
        """Return what sets it, for messages."""
        variable = PREFIX + name.upper()
        return variable if self._file is None or self._environ.get(variable) else f"{name} in {self._file.path}"


def settings_file() -> SettingsFile | None:
    """Return the settings file of the current directory, if it has one.

    Raises:
        ArgumentError: It cannot be read, or sets what is no setting.
    """
    return read_settings_file(Path.cwd(), [each.name for each in fields(Settings)])


def database_url(url: str | None) -> str | None:
    """Return the ``postgresql://`` URL that a client was given, or None where the settings decide.

    Args:
        url: What it was given; None means ``TILEBOX_API_URL``. The vendor's default URL means that nothing was given.

    Raises:
        ArgumentError: It names something that cannot be used.
    """
    given, source = (url, "url") if url is not None else (os.environ.get("TILEBOX_API_URL") or None, "TILEBOX_API_URL")
    if given is not None and not isinstance(given, str):
        raise ArgumentError(f"url must be a text such as postgresql://user@host/database, not {type(given).__name__}.")
    if given is None or given.rstrip("/") == VENDOR_URL:
        return None
    if given.partition("://")[0] in ("postgresql", "postgres"):
        check_ledger_url(given)
        return given
    raise ArgumentError(
        f"{source} is {redact_url(given)!r}, but a gateway to a remote server comes with a later version: pass the "
        "ledger as postgresql://user@host/database, or no URL for the embedded stack."
    )


def _check_heartbeat(values: _Values, chosen: Mapping[str, Any]) -> None:
    lease, heartbeat = chosen["lease"], chosen["heartbeat"]
    if heartbeat > lease / 2:  # one late renewal, and the work of a healthy worker goes to others, for ever
        raise ArgumentError(
            f"{values.source('heartbeat')} is {heartbeat.total_seconds():g} s, but must be at most half of "
            f"{values.source('lease')}, which is {lease.total_seconds():g} s."
        )


def _truth(name: str, text: str) -> bool:
    if (word := text.lower()) in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ArgumentError(f"{name} is '{text:.80}', but must be 'true' or 'false'.")


def _positive_int(name: str, text: str) -> int:
    with contextlib.suppress(ValueError):  # also of a number with too many digits
        if text.isascii() and text.isdecimal() and 0 < (value := int(text)) <= MOST_BYTES:
            return value
    raise ArgumentError(f"{name} is '{text:.80}', but must be a positive whole number up to {MOST_BYTES:,}.")


def _positive_float(name: str, text: str) -> float:
    with contextlib.suppress(ValueError):
        if LEAST_SECONDS <= (value := float(text)) <= MOST_SECONDS:
            return value
    raise ArgumentError(
        f"{name} is '{text:.80}', but must be a positive number of seconds, from {LEAST_SECONDS} to {MOST_SECONDS:,}."
    )
