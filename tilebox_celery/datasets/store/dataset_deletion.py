"""Delete a dataset with everything that belongs to it, in one transaction."""

from psycopg import sql

from tilebox_celery.datasets.store.connections import Connections
from tilebox_celery.datasets.store.patience import patiently
from tilebox_celery.datasets.store.registry import LOCK
from tilebox_celery.datasets.store.row_tables import NAMESPACE, table_name
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.postgres.connection import Connection


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
    return patiently(connections, lambda connection: _delete(connection, slug, force))


def _delete(connection: Connection, slug: str, force: bool) -> int:
    connection.execute(LOCK)
    # Locked first, so that no collection is made from here on; then the table, as an ingest does.
    found = connection.execute("select key from tbd.datasets where slug = %s for update", (slug,)).fetchone()
    if found is None:
        raise NotFoundError(f"No such dataset '{slug}'.")
    (key,) = found
    _check_empty(connection, key, slug, force)  # before anybody has to wait
    table = sql.Identifier(NAMESPACE, table_name(key))
    connection.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
    connection.execute("select from tbd.collections where dataset_key = %s for update nowait", (key,))
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
