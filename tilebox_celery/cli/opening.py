"""Open what a command needs: settings, client, ledger, and the job that a shortened id means."""

from contextlib import ExitStack
from typing import TYPE_CHECKING
from uuid import UUID

from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.settings import Settings

if TYPE_CHECKING:
    from tilebox_celery.client.client import Client
    from tilebox_celery.datasets.sync.client import Client as DatasetClient
    from tilebox_celery.ledger.open import Ledger

_SHOWN = 5
_opened = ExitStack()


def close_all() -> None:
    """Close what this command opened."""
    _opened.close()


def open_client() -> "Client":
    """Return a client for the ledger of the settings; nothing is contacted yet."""
    from tilebox_celery.client.client import Client

    client = Client()
    _opened.callback(client.close)
    return client


def open_datasets() -> "DatasetClient":
    """Return a client for the datasets in the same database; nothing is contacted yet."""
    from tilebox_celery.datasets.sync.client import Client

    client = Client()
    _opened.callback(client.close)
    return client


def open_checked_ledger() -> "Ledger":
    """Connect to the ledger of the settings and check that it fits this code."""
    from tilebox_celery.client.client import Client
    from tilebox_celery.ledger.open import open_ledger

    ledger = open_ledger(Client().settings)
    _opened.callback(ledger.close)
    return ledger


def settings() -> Settings:
    """Return the settings of this process, with the URL that a client would use."""
    from tilebox_celery.client.client import Client

    return Client().settings


def find_id(text: str) -> UUID:
    """Return the id of the job that a full or shortened id means.

    Args:
        text: Some first characters of an id, with or without dashes.

    Raises:
        ArgumentError: This is no part of an id, or of several.
        NotFoundError: No job has such an id.
    """
    digits = text.strip().replace("-", "").lower()
    if not digits or len(digits) > 32 or digits.strip("0123456789abcdef"):
        raise ArgumentError(
            f"Invalid id {text[:64]!r}: give an id such as 018dd029-58ca-7000-8000-000000000005, or its start."
        )
    if len(digits) == 32:
        return UUID(digits)
    found = _ids_between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))
    if not found:
        raise NotFoundError(f"No job has an id that starts with {text.strip()}.")
    if len(found) > 1:
        shown = ", ".join(map(str, found[:_SHOWN])) + (", ..." if len(found) > _SHOWN else "")
        raise ArgumentError(f"Several jobs have an id that starts with {text.strip()}: {shown}.")
    return found[0]


def _ids_between(first: UUID, last: UUID) -> list[UUID]:
    from sqlalchemy import select

    from tilebox_celery.ledger.tables import jobs

    statement = select(jobs.c.uuid).where(jobs.c.uuid.between(first, last)).order_by(jobs.c.uuid).limit(_SHOWN + 1)
    with open_checked_ledger().reading.connection() as connection:
        return list(connection.execute(statement).scalars())
