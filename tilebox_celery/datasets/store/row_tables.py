"""Make and change the table that holds the rows of one dataset."""

from psycopg import sql

from tilebox_celery.datasets.schema import DatasetKind, Field, Schema
from tilebox_celery.datasets.store.columns import column_name, column_type
from tilebox_celery.errors import ArgumentError
from tilebox_celery.postgres.connection import Connection

NAMESPACE = "tbd"


def table_name(dataset_key: int) -> str:
    """Return the name of a dataset's table in the schema `tbd`."""
    return f"rows_{dataset_key}"


def create_table(connection: Connection, dataset_key: int, schema: Schema) -> None:
    """Create the table and its indexes.

    `_box` and `_wrapped` bound the geometry: see `spatial.bounding_boxes`. Most rows have no `_wrapped`, so its index
    is small.
    """
    table = sql.Identifier(NAMESPACE, table_name(dataset_key))
    columns: list[sql.Composable] = [sql.SQL(", {} {}").format(*_column(field)) for field in schema.fields]
    if schema.kind is DatasetKind.SPATIOTEMPORAL:
        columns.append(sql.SQL(", _box box, _wrapped box"))
    connection.execute(
        sql.SQL(
            "create table {} (_collection integer not null, time bigint not null, id uuid not null,"
            " ingestion_time timestamptz not null default now(){}, primary key (_collection, time, id))"
        ).format(table, sql.SQL("").join(columns))
    )
    if schema.kind is DatasetKind.SPATIOTEMPORAL:
        connection.execute(sql.SQL("create index on {} using gist (_box)").format(table))
        connection.execute(sql.SQL("create index on {} using gist (_wrapped) where _wrapped is not null").format(table))


def change_table(connection: Connection, dataset_key: int, slug: str, old: Schema, new: Schema) -> int:
    """Bring the table to a new schema; whoever calls has the lock of the registry.

    A table that cannot be kept is replaced by one with another key, so that nobody takes the one for the other.

    Args:
        connection: In a transaction.
        dataset_key: Names the table.
        slug: For errors.
        old: The present schema.
        new: The wanted one.

    Returns:
        The key that the dataset has now.

    Raises:
        ArgumentError: The change would lose data; the message names the field.
    """
    table = sql.Identifier(NAMESPACE, table_name(dataset_key))
    lost = _lost(old, new)
    if lost is not None:
        connection.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
        if connection.execute(sql.SQL("select exists (select from {})").format(table)).fetchone() == (True,):
            raise ArgumentError(
                f"The dataset '{slug}' has datapoints, and {lost} would lose data of them: {_instead(old, new)}, or "
                "delete the datapoints first."
            )
        connection.execute(sql.SQL("drop table {}").format(table))
        changed = connection.execute(
            "update tbd.datasets set key = default where key = %s returning key", (dataset_key,)
        ).fetchone()
        assert changed is not None
        create_table(connection, changed[0], new)
        return int(changed[0])
    for field in new.fields:
        if field.name not in old.by_name:
            connection.execute(sql.SQL("alter table {} add column {} {}").format(table, *_column(field)))
    return dataset_key


def lock_rows(connection: Connection, dataset_key: int) -> None:
    """Keep the table as it is until the transaction ends, before any other lock is taken.

    Whoever adds a field locks the table and then its collections: in the other order the two would wait for each other.
    """
    table = sql.Identifier(NAMESPACE, table_name(dataset_key))
    connection.execute(sql.SQL("lock table {} in row exclusive mode").format(table))


def _lost(old: Schema, new: Schema) -> str | None:
    """Say which change of a schema loses data, if one does."""
    if old.kind is not new.kind:
        return f"a change of its kind from {old.kind} to {new.kind}"
    for field in old.fields:
        wanted = new.by_name.get(field.name)
        if wanted is None:
            return f"to remove the field '{field.name}'"
        if (wanted.type, wanted.is_array) != (field.type, field.is_array):
            return f"a change of the field '{field.name}' from {_words(field)} to {_words(wanted)}"
    return None


def _instead(old: Schema, new: Schema) -> str:
    if old.kind is not new.kind:
        return f"say {old.kind}"
    missing = any(field.name not in new.by_name for field in old.fields)
    return "name the fields that it has beside new ones" if missing else "add a field of another name"


def _words(field: Field) -> str:
    return f"an array of {field.type}" if field.is_array else str(field.type)


def _column(field: Field) -> tuple[sql.Composable, sql.Composable]:
    return sql.Identifier(column_name(field.name)), sql.SQL(column_type(field))
