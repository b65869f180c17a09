"""Open the store of the datasets in the database that the settings name, and bring it to this code's schema."""

from functools import cache

from tilebox_celery.datasets.store.connections import Connections
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.postgres.migrate import Schema
from tilebox_celery.settings import Settings, check_ledger_url


def open_store(settings: Settings) -> DatasetStore:
    """Connect to the database of the ledger and make sure that it has the tables of datasets.

    Args:
        settings: Names the database; without `ledger_url` the embedded stack is started.

    Raises:
        AuthenticationError: The server refused the login, or the right to create tables.
        LedgerUnavailable: The server cannot be reached.
        LedgerVersionMismatch: The database was used by newer code.
        EmbeddedStackError: The embedded servers cannot run here.
    """
    url = settings.ledger_url
    is_embedded = url is None
    if url is None:
        from tilebox_celery.embedded import start

        url = start(settings.home, settings.idle_stop).ledger_url
    check_ledger_url(url)
    connections = Connections(url, settings if is_embedded else None)
    schema = store_schema()
    try:
        with connections.catalog() as connection:
            if not schema.is_current(connection):
                schema.upgrade(connection, settings.home if is_embedded else None)
    except BaseException:
        connections.close()
        raise
    return DatasetStore(connections)


@cache
def store_schema() -> Schema:
    """Return the schema of this code, read once."""
    return Schema("tilebox_celery.datasets.store", "datasets", namespace="tbd", title="dataset store")
