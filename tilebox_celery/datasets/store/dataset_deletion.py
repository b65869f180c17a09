"""Delete a dataset with everything that belongs to it, in one transaction."""

import time

from psycopg import errors, sql

from tilebox_celery.datasets.store.connections import Connections
from tilebox_celery.datasets.store.registry import LOCK
from tilebox_celery.datasets.store.row_tables import NAMESPACE, table_name
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.postgres.connection import Connection

_PAUSE_SECONDS = 0.05


def delete_dataset(connections: Connections, slug: str, *, force: bool = False) -> int:
    """Delete a dataset, its collections, rows and segments: all of it, or nothing on any error.

    It waits until loads and ingests that are under way have ended.

    Args:
        connections: To the database.
        slug: Of the dataset.
        force: Whether to delete its datapoints, too.

    Returns:
        How many datapoints there were.

    Raises:
        NotFoundError: There is no such dataset.
        ArgumentError: It has datapoints, and `force` is False.
    """
    while True:
        try:
            with connections.catalog() as connection:
                return _delete(connection, slug, force)
        except _Busy:
            time.sleep(_PAUSE_SECONDS)


class _Busy(Exception):
    """Somebody has locked a collection, and may need the table that this transaction has locked."""


def _delete(connection: Connection, slug: str, force: bool) -> int:
    with connection.transaction():
        connection.execute(LOCK)
        # Locked first, so that no collection is made from here on; then the table, as an ingest does.
        found = connection.execute("select key from tbd.datasets where slug = %s for update", (slug,)).fetchone()
        if found is None:
            raise NotFoundError(f"No such dataset '{slug}'.")
        (key,) = found
        _check_empty(connection, key, slug, force)  # before anybody has to wait
        table = sql.Identifier(NAMESPACE, table_name(key))
        connection.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
        try:
            connection.execute("select from tbd.collections where dataset_key = %s for update nowait", (key,))
        except errors.LockNotAvailable as error:
            raise _Busy from error
        count = _check_empty(connection, key, slug, force)
        connection.execute(sql.SQL("drop table {}").format(table))
        connection.execute("delete from tbd.collections where dataset_key = %s", (key,))
        connection.execute("delete from tbd.datasets where key = %s", (key,))
        return count


def _check_empty(connection: Connection, key: int, slug: str, force: bool) -> int:
    row = connection.execute(
        "select coalesce(sum(count), 0)::bigint from tbd.collections where dataset_key = %s", (key,)
    ).fetchone()
    assert row is not None
    count = int(row[0])
    if count and not force:
        raise ArgumentError(
            f"The dataset '{slug}' has {count:,} datapoints and was not deleted: force=True deletes them, too."
        )
    return count
