"""Seal rows of a collection into columnar segments, and read them; they can be deleted at any time."""

from collections.abc import Generator
from contextlib import closing
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tilebox_celery.datasets.arrow_types import arrow_type
from tilebox_celery.datasets.schema import FieldType, Schema
from tilebox_celery.datasets.store.ahead import read_ahead
from tilebox_celery.datasets.store.arrow_connection import ArrowConnection
from tilebox_celery.datasets.store.connections import Connections
from tilebox_celery.datasets.store.incoming_rows import milliseconds
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.selection import IDENTITY

LAYOUT = 1
"""Of the bytes in a segment; segments of another one are not read."""
SMALLEST_ROWS = 8_192
"""Fewer are read from rows about as fast, and would be sealed again and again while a collection grows."""
DICTIONARY_SHARE = 8
"""A column of texts becomes a dictionary if each text is there this often: loads then share their texts."""
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")
"""Twice as fast to decode as zstd, for a quarter more bytes, which are fetched while others are laid out."""


class SegmentHeader(NamedTuple):
    """Where a segment lies: it holds all rows of its collection in [first_ms, end_ms)."""

    first_ms: int
    end_ms: int
    rows: int


class Standing(NamedTuple):
    """What a snapshot says of a collection: rows that are read in it may be sealed while this has not changed."""

    version: int
    fields: tuple[str, ...]


def standing(connection: ArrowConnection, collection: CollectionRecord) -> Standing | None:
    """Return how a collection stands in the transaction of a connection; None if it is gone."""
    found = connection.table(
        "select c.version, array(select f ->> 'name' from jsonb_array_elements(d.schema -> 'fields') f)"
        " from tbd.collections c join tbd.datasets d on d.key = c.dataset_key where c.key = $1::integer",
        (collection.key,),
    )
    if found.num_rows == 0:
        return None
    return Standing(found.column(0)[0].as_py(), tuple(found.column(1)[0].as_py()))


def headers(
    connection: ArrowConnection, collection: CollectionRecord, first_ms: int, end_ms: int
) -> list[SegmentHeader]:
    """Return the segments that overlap an interval, in order of time; they do not overlap each other."""
    found = connection.table(
        "select first_ms, end_ms, count from tbd.segments where collection_key = $1::integer and layout = $2::integer"
        " and first_ms < $3::bigint and end_ms > $4::bigint order by first_ms",
        (collection.key, LAYOUT, end_ms, first_ms),
    )
    return [SegmentHeader(*row) for row in zip(*(column.to_pylist() for column in found.columns), strict=True)]


def read(
    connection: ArrowConnection, collection: CollectionRecord, first_ms: int, end_ms: int, skip_data: bool
) -> Generator[pa.Table]:
    """Give the rows of each segment that lies in an interval, in order of time."""
    wanted = "metadata" if skip_data else "metadata, data"
    # Numbers of our own stand in the text: an answer to a statement with parameters comes as a whole, not as a stream.
    query = (
        f"select {wanted} from tbd.segments where collection_key = {collection.key:d} and layout = {LAYOUT:d}"  # noqa: S608
        f" and first_ms >= {first_ms:d} and first_ms < {end_ms:d} order by first_ms"
    )
    # Only what waits for the database is done ahead: each return to Python costs the thread a wait for its turn.
    stored = connection.batches(query)
    with closing(stored), closing(read_ahead(stored)) as batches:
        for batch in batches:
            for place in range(batch.num_rows):
                table = _decoded(batch.column(0)[place])
                yield table if skip_data else _with_data(table, _decoded(batch.column(1)[place]), collection)


def _with_data(table: pa.Table, data: pa.Table, collection: CollectionRecord) -> pa.Table:
    for field in collection.dataset.schema.fields:
        if field.name in data.column_names:
            table = table.append_column(field.name, data.column(field.name))
        else:  # sealed before the field was added, so these rows do not have it
            table = table.append_column(field.name, pa.nulls(table.num_rows, arrow_type(field)))
    return table


def seal(
    connections: Connections, collection: CollectionRecord, seen: Standing, table: pa.Table, end_ms: int | None = None
) -> bool:
    """Store rows as a segment, if they are still what the collection has.

    Args:
        connections: To the database.
        collection: Whose rows they are.
        seen: What the snapshot said in which they were read.
        table: All rows from the first one's time to `end_ms`, with all fields.
        end_ms: None ends the segment with the last row.

    Returns:
        False if rows or fields have changed, or others have sealed some of these rows; nothing is stored then.
    """
    times = milliseconds(table)
    end_ms = int(times[-1]) + 1 if end_ms is None else end_ms
    metadata, data = encoded(table, collection.dataset.schema)
    with connections.catalog() as connection, connection.transaction():
        # Whoever ingests or deletes updates this row before he looks for segments to delete, and in his transaction.
        row = connection.execute(
            "select version from tbd.collections where key = %s for no key update", (collection.key,)
        ).fetchone()
        if row != (seen.version,):
            return False
        stored = connection.execute(
            "insert into tbd.segments (collection_key, first_ms, end_ms, count, version, layout, metadata, data)"
            " select %(key)s, %(first)s, %(end)s, %(count)s, %(version)s, %(layout)s, %(metadata)b, %(data)b"
            " where not exists (select from tbd.segments where collection_key = %(key)s and layout = %(layout)s"
            " and first_ms < %(end)s and end_ms > %(first)s)"
            " on conflict (collection_key, first_ms) do nothing",
            {
                "key": collection.key,
                "first": int(times[0]),
                "end": end_ms,
                "count": table.num_rows,
                "version": seen.version,
                "layout": LAYOUT,
                "metadata": memoryview(metadata),
                "data": memoryview(data),
            },
        )
        return stored.rowcount == 1


def encoded(table: pa.Table, schema: Schema) -> tuple[pa.Buffer, pa.Buffer]:
    """Return the bytes of a segment: what all datapoints have, and their fields."""
    fields = table.select([field.name for field in schema.fields]).combine_chunks()
    for place, field in enumerate(schema.fields):
        if field.type in (FieldType.STRING, FieldType.ENUM) and not field.is_array:
            column = fields.column(place)
            if field.type is FieldType.ENUM or pc.count_distinct(column).as_py() * DICTIONARY_SHARE <= len(column):
                fields = fields.set_column(place, field.name, column.dictionary_encode().combine_chunks())
    return _encoded(table.select(list(IDENTITY)).combine_chunks()), _encoded(fields)


def _encoded(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _decoded(stored: pa.Scalar) -> pa.Table:
    return pa.ipc.open_stream(stored.as_buffer()).read_all()
