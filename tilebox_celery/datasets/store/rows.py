"""Ingest, count, find and delete datapoints as rows, each call in one transaction."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pyarrow as pa
from psycopg import sql

from tilebox_celery.datasets.identifiers import milliseconds_of
from tilebox_celery.datasets.store.arrow_connection import ArrowConnection, ArrowError
from tilebox_celery.datasets.store.connections import Connections
from tilebox_celery.datasets.store.incoming_rows import SortedRows, sorted_rows, stored_batches
from tilebox_celery.datasets.store.records import CollectionInfo, CollectionRecord
from tilebox_celery.datasets.store.refusals import refuse_unstorable
from tilebox_celery.datasets.store.row_tables import NAMESPACE, lock_rows, table_name
from tilebox_celery.datasets.store.selection import Conditions, canonical, rows_of, select_rows
from tilebox_celery.errors import ArgumentError, NotFoundError

UNIQUE_VIOLATION = "23505"
ASKED_ROWS = 65_536
"""Ids that one statement looks for."""


class Rows:
    """Writes and looks up the rows of collections.

    Args:
        connections: To the database.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def ingest(self, collection: CollectionRecord, table: pa.Table, *, allow_existing: bool = True) -> int:
        """Store datapoints: all of them, or none on any error.

        Args:
            collection: That gets them.
            table: Canonical, with ids; `ingestion_time` is left to the database.
            allow_existing: Pass over datapoints that are there already; False refuses them.

        Returns:
            How many were stored; datapoints with an id that is there already, or is given twice, are not.

        Raises:
            ArgumentError: A value cannot be stored, or a datapoint exists and may not.
            NotFoundError: The collection is gone.
        """
        rows = sorted_rows(table)
        with self._connections.arrow() as connection:
            while True:
                try:
                    with connection.transaction():
                        return _ingest(connection, collection, rows, allow_existing)
                except ArrowError as error:
                    if error.sqlstate != UNIQUE_VIOLATION:  # else somebody has just stored one of these: look again
                        refuse_unstorable(collection.dataset.schema, table, error)
                        raise

    def info(self, collection: CollectionRecord) -> CollectionInfo:
        """Count the datapoints of a collection; takes no longer for many.

        Raises:
            NotFoundError: The collection is gone.
        """
        rows = sql.Identifier(NAMESPACE, table_name(collection.dataset.key))
        statement = sql.SQL(
            "select c.count, (select r.time from {rows} r where r._collection = c.key order by r.time limit 1),"
            " (select r.time from {rows} r where r._collection = c.key order by r.time desc limit 1)"
            " from tbd.collections c where c.key = %s"
        ).format(rows=rows)
        with self._connections.catalog() as connection:
            row = connection.execute(statement, (collection.key,)).fetchone()
        if row is None:
            raise NotFoundError(f"No such collection {collection.name}")
        return CollectionInfo(*row)

    def find(self, collections: Sequence[CollectionRecord], datapoint_id: UUID, *, skip_data: bool = False) -> pa.Table:
        """Return the datapoint with an id as a table of one row; no index on ids is needed, since they hold the time.

        Args:
            collections: Of one dataset.
            datapoint_id: What to look for.
            skip_data: Only time, id and ingestion time.

        Raises:
            NotFoundError: None of the collections has it.
        """
        if collections:
            dataset = collections[0].dataset
            fields = () if skip_data else dataset.schema.fields
            conditions = Conditions()
            keys = [collection.key for collection in collections]
            conditions.add(f"_collection = any ({conditions.bind(keys, 'integer[]')})")
            conditions.add(f"time = {conditions.bind(milliseconds_of(datapoint_id), 'bigint')}")
            conditions.add(f"id = {conditions.bind(str(datapoint_id), 'uuid')}")
            with self._connections.arrow() as connection:
                rows = connection.table(select_rows(dataset, fields, conditions), conditions.values)
            if rows.num_rows:
                return canonical(rows.slice(0, 1), fields)
        raise NotFoundError(f"No such datapoint {datapoint_id}")

    def delete(self, collection: CollectionRecord, ids: Sequence[UUID]) -> int:
        """Delete datapoints and return how many there were.

        Raises:
            NotFoundError: The collection is gone.
        """
        times = [milliseconds_of(each) for each in ids]
        statement = sql.SQL(
            "delete from {} r using (select distinct * from unnest(%s::bigint[], %s::uuid[])) k (time, id)"
            " where r._collection = %s and r.time = k.time and r.id = k.id returning r.time"
        ).format(sql.Identifier(NAMESPACE, table_name(collection.dataset.key)))
        with self._connections.catalog() as connection, connection.transaction():
            lock_rows(connection, collection.dataset.key)
            locked = connection.execute(
                "update tbd.collections set version = version + 1 where key = %s", (collection.key,)
            )
            if locked.rowcount == 0:
                raise NotFoundError(f"No such collection {collection.name}")
            deleted = connection.execute(statement, (times, list(ids), collection.key)).fetchall()
            connection.execute(
                "update tbd.collections set count = count - %s where key = %s", (len(deleted), collection.key)
            )
            connection.execute(
                "delete from tbd.segments s where s.collection_key = %s and exists ("
                "select from unnest(%s::bigint[]) t where t >= s.first_ms and t < s.end_ms)",
                (collection.key, sorted({time for (time,) in deleted})),
            )
        return len(deleted)


def _ingest(connection: ArrowConnection, collection: CollectionRecord, rows: SortedRows, allow_existing: bool) -> int:
    if len(rows):
        rows = _without_stored(connection, collection, rows, allow_existing)
    if len(rows):
        connection.copy(NAMESPACE, table_name(collection.dataset.key), stored_batches(collection, rows))
    # The row of the collection is locked from here to the commit, as short as can be. Whoever seals a segment has this
    # lock too: either its segment is there to be deleted below, or it finds another version and drops its segment.
    noted = connection.table(
        "update tbd.collections set count = count + $1::bigint, version = version + (case when $1::bigint > 0"
        " then 1 else 0 end) where key = $2::integer returning version",
        (len(rows), collection.key),
    )
    if noted.num_rows == 0:
        raise NotFoundError(f"No such collection {collection.name}")
    if len(rows):
        _drop_segments(connection, collection, rows.times)
    return len(rows)


def _without_stored(
    connection: ArrowConnection, collection: CollectionRecord, rows: SortedRows, allow_existing: bool
) -> SortedRows:
    times = rows.times
    there = rows_of(collection.dataset)
    # The names below are quoted; values travel as parameters.
    any_there = connection.table(
        f"select 1 from {there} where _collection = $1::integer and time >= $2::bigint and time <= $3::bigint limit 1",  # noqa: S608
        (collection.key, int(times[0]), int(times[-1])),
    )
    if any_there.num_rows == 0:
        return rows
    is_new = np.ones(len(rows), bool)
    digits = rows.ids.tobytes().hex()
    for start in range(0, len(rows), ASKED_ROWS):
        end = min(start + ASKED_ROWS, len(rows))
        asked = [digits[32 * place : 32 * place + 32] for place in range(start, end)]
        stored = connection.table(
            "select k.place from unnest($1::bigint[], $2::text[]) with ordinality k (time, id, place)"  # noqa: S608
            f" join {there} r on r._collection = $3::integer and r.time = k.time and r.id = k.id::uuid",
            (times[start:end].tolist(), asked, collection.key),
        )
        places = stored.column(0).to_numpy() - 1
        if len(places) and not allow_existing:
            identifier = UUID(hex=asked[int(places.min())])
            raise ArgumentError(
                f"The datapoint {identifier} is in the collection '{collection.name}' already, and nothing was stored: "
                "leave it out, or pass allow_existing=True."
            )
        is_new[start + places] = False
    return rows.only(is_new)


def _drop_segments(connection: ArrowConnection, collection: CollectionRecord, times: np.ndarray) -> None:
    """Delete the segments that would now lack rows; the others stay."""
    near = connection.table(
        "select id, first_ms, end_ms from tbd.segments"
        " where collection_key = $1::integer and first_ms <= $2::bigint and end_ms > $3::bigint",
        (collection.key, int(times[-1]), int(times[0])),
    )
    identifiers, first_ms, end_ms = (column.to_numpy() for column in near.columns)
    stale = identifiers[np.searchsorted(times, first_ms) < np.searchsorted(times, end_ms)]
    if len(stale):
        connection.execute("delete from tbd.segments where id = any ($1::bigint[])", (stale.tolist(),))
