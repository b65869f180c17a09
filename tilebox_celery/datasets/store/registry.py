"""Create, change and find datasets and collections."""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from tilebox_celery.datasets.schema import Schema
from tilebox_celery.datasets.store.connections import Connections
from tilebox_celery.datasets.store.patience import patiently
from tilebox_celery.datasets.store.records import CollectionRecord, DatasetRecord
from tilebox_celery.datasets.store.row_tables import NAMESPACE, change_table, create_table, lock_rows, table_name
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.postgres.connection import Connection

SLUG = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
SHOWN = 10
LONGEST_NAME_BYTES = 1000
"""An index holds little more."""
DATASETS: LiteralString = "select id, key, slug, name, description, schema from tbd.datasets"
LOCK: LiteralString = "select pg_advisory_xact_lock(7414, 1)"
COLLECTIONS: LiteralString = (
    "select c.id, c.key, c.name from tbd.collections c join tbd.datasets d on d.key = c.dataset_key where d.id = %s"
)


class Registry:
    """Reads and writes `tbd.datasets` and `tbd.collections`.

    Args:
        connections: To the database.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def datasets(self) -> list[DatasetRecord]:
        """Return all datasets, sorted by slug."""
        with self._connections.catalog() as connection:
            rows = connection.execute(f'{DATASETS} order by slug collate "C"').fetchall()
        return [_dataset(*row) for row in rows]

    def find_dataset(self, slug: str) -> DatasetRecord:
        """Return the dataset with a slug.

        Raises:
            NotFoundError: There is none.
        """
        with self._connections.catalog() as connection:
            row = None
            if _can_name(slug):
                row = connection.execute(f"{DATASETS} where slug = %s", (slug,)).fetchone()
            if row is None:
                names = [name for (name,) in connection.execute("select slug from tbd.datasets order by 1")]
        if row is None:
            raise NotFoundError(f"No such dataset '{slug}': {_known(names, 'there is none yet')}.")
        return _dataset(*row)

    def create_or_update_dataset(
        self, slug: str, schema: Schema, name: str | None = None, description: str | None = None
    ) -> DatasetRecord:
        """Create a dataset, or bring it to a schema: fields may be added, and nothing is lost.

        It waits until loads and ingests that are under way have ended.

        Args:
            slug: Lower case words with dots between; what is before the last dot is its group.
            schema: All fields, in their order.
            name: For people; None keeps the present one, and is the slug at first.
            description: For people; None keeps the present one.

        Raises:
            ArgumentError: The slug cannot be used, or the change would lose data.
        """
        if not isinstance(slug, str) or not SLUG.fullmatch(slug):
            raise ArgumentError(
                f"The dataset slug {slug!r} cannot be used: it must be lower case words with dots between, such as "
                "'open_data.copernicus.sentinel1_sar'."
            )

        def change(connection: Connection) -> DatasetRecord:
            connection.execute(LOCK)
            row = connection.execute(f"{DATASETS} where slug = %s", (slug,)).fetchone()
            if row is None:
                return _create(connection, slug, schema, name or slug, description or "")
            return _update(connection, _dataset(*row), schema, name, description)

        return patiently(self._connections, change)

    def collections(self, dataset: DatasetRecord) -> list[CollectionRecord]:
        """Return all collections of a dataset, sorted by name."""
        with self._connections.catalog() as connection:
            rows = connection.execute(f'{COLLECTIONS} order by c.name collate "C"', (dataset.id,)).fetchall()
        return [CollectionRecord(row[0], row[1], row[2], dataset) for row in rows]

    def create_collection(self, dataset: DatasetRecord, name: str, *, exists_ok: bool = False) -> CollectionRecord:
        """Create a collection.

        Args:
            dataset: That it belongs to.
            name: Any text that is not empty, of at most `LONGEST_NAME_BYTES`.
            exists_ok: Return the one that is there already.

        Raises:
            ArgumentError: It is there already, or the name is empty.
        """
        if not _can_name(name):
            raise ArgumentError(
                f"The collection name {name!r} cannot be used: it must be a text that is not empty, of at most "
                f"{LONGEST_NAME_BYTES} bytes."
            )
        if exists_ok:
            with suppress(NotFoundError):
                return self.find_collection(dataset, name)  # takes no right to make one
        with self._connections.catalog() as connection:
            row = connection.execute(
                "insert into tbd.collections (dataset_key, name) values (%s, %s)"
                " on conflict (dataset_key, name) do nothing returning id, key, name",
                (dataset.key, name),
            ).fetchone()
        if row is not None:
            return CollectionRecord(row[0], row[1], row[2], dataset)
        if not exists_ok:
            raise ArgumentError(
                f"The dataset '{dataset.slug}' already has a collection '{name}': use get_or_create_collection."
            )
        return self.find_collection(dataset, name)

    def find_collection(self, dataset: DatasetRecord, name: str) -> CollectionRecord:
        """Return a collection by its name.

        Raises:
            NotFoundError: The dataset has none of this name.
        """
        row = None
        if _can_name(name):
            with self._connections.catalog() as connection:
                row = connection.execute(f"{COLLECTIONS} and c.name = %s", (dataset.id, name)).fetchone()
        if row is None:
            raise NotFoundError(f"No such collection {name}")
        return CollectionRecord(row[0], row[1], row[2], dataset)

    def delete_collection(self, collection: CollectionRecord) -> None:
        """Delete a collection with all its datapoints.

        Raises:
            NotFoundError: It is gone already.
        """
        table = sql.Identifier(NAMESPACE, table_name(collection.dataset.key))
        with self._connections.catalog() as connection, connection.transaction():
            lock_rows(connection, collection.dataset.key)
            # Whoever ingests right now ends before this lock, or finds no collection and stores nothing.
            gone = connection.execute("select from tbd.collections where key = %s for update", (collection.key,))
            if gone.rowcount == 0:
                raise NotFoundError(f"No such collection {collection.name}")
            connection.execute(sql.SQL("delete from {} where _collection = %s").format(table), (collection.key,))
            connection.execute("delete from tbd.collections where key = %s", (collection.key,))


def _can_name(name: object) -> bool:
    """Tell whether the database can hold a name."""
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        return False
    return len(name.encode(errors="replace")) <= LONGEST_NAME_BYTES and not any(
        "\ud800" <= character <= "\udfff" for character in name
    )


def _create(connection: Connection, slug: str, schema: Schema, name: str, description: str) -> DatasetRecord:
    parts = slug.split(".")
    above = [".".join(parts[:length]) for length in range(1, len(parts))]
    clash = connection.execute(
        "select slug, slug = any (%s) from tbd.datasets where slug = any (%s) or starts_with(slug, %s) limit 1",
        (above, above, slug + "."),
    ).fetchone()
    if clash is not None:
        other, is_above = clash
        group = other if is_above else slug
        raise ArgumentError(
            f"The dataset slug '{slug}' cannot be used beside the dataset '{other}': '{group}' would be a dataset and "
            "a group."
        )
    row = connection.execute(
        "insert into tbd.datasets (slug, name, description, schema) values (%s, %s, %s, %s) returning id, key",
        (slug, name, description, Jsonb(schema.to_json())),
    ).fetchone()
    assert row is not None
    create_table(connection, row[1], schema)
    return DatasetRecord(row[0], row[1], slug, name, description, schema)


def _update(
    connection: Connection, old: DatasetRecord, schema: Schema, name: str | None, description: str | None
) -> DatasetRecord:
    name = old.name if name is None else name
    description = old.description if description is None else description
    if (old.schema, old.name, old.description) == (schema, name, description):
        return old
    key = old.key
    if old.schema != schema:
        key = change_table(connection, key, old.slug, old.schema, schema)
        # Nobody may seal a segment now without the new fields.
        connection.execute("update tbd.collections set version = version + 1 where dataset_key = %s", (key,))
    connection.execute(
        "update tbd.datasets set (schema, name, description, updated_at) = (%s, %s, %s, now()) where key = %s",
        (Jsonb(schema.to_json()), name, description, key),
    )
    return DatasetRecord(old.id, key, old.slug, name, description, schema)


def _dataset(
    identifier: Any, key: int, slug: str, name: str, description: str, schema: dict[str, Any]
) -> DatasetRecord:
    return DatasetRecord(identifier, key, slug, name, description, Schema.from_json(schema))


def _known(names: Iterable[str], otherwise: str) -> str:
    names = list(names)
    if not names:
        return otherwise
    return "there are " + ", ".join(names[:SHOWN]) + (" and more" if len(names) > SHOWN else "")
