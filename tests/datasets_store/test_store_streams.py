"""Filtered loads hold a part of what the database finds, not all of it, and give it back when they end."""

from uuid import UUID

import pyarrow as pa
import pytest

from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.filters import field
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.store.connections import NAME, Connections
from tilebox_celery.datasets.store.pages import PAGE_ROWS, join
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.postgres.connection import Connection

SCHEMA = Schema(DatasetKind.TEMPORAL, (Field("orbit", FieldType.INT64),))
COUNT = 2 * PAGE_ROWS
TRANSACTIONS = (
    "select count(*) from pg_stat_activity"
    " where application_name = %s and datname = current_database() and state = 'idle in transaction'"
)


@pytest.fixture
def orbits(store: DatasetStore) -> CollectionRecord:
    """A collection of two pages."""
    collection = store.create_collection(store.create_or_update_dataset("my.orbits", SCHEMA), "c")
    ids = [UUID(int=(number << 80) + 1).bytes for number in range(COUNT)]
    columns = [pa.array(range(COUNT), pa.timestamp("ms")), pa.array(ids, pa.binary(16)), pa.array(range(COUNT))]
    types = table_schema(SCHEMA)
    names = ["time", "id", "orbit"]
    table = pa.Table.from_arrays(columns, names=names)
    store.ingest(collection, table.cast(pa.schema([types.field(each) for each in names])))
    return collection


def open_transactions(connection: Connection) -> int:
    """Count the loads that the database still works for."""
    row = connection.execute(TRANSACTIONS, (NAME,)).fetchone()
    assert row is not None
    return int(row[0])


def test_the_first_page_of_a_filtered_load_does_not_wait_for_the_last(
    store: DatasetStore, orbits: CollectionRecord, connection: Connection
) -> None:
    """The database keeps the rest; whoever closes the load early gives it up."""
    pages = store.load([orbits], 0, COUNT, where=field("orbit") >= 0)

    first = next(pages)

    assert first.table.num_rows == PAGE_ROWS
    assert open_transactions(connection) == 1
    pages.close()
    assert open_transactions(connection) == 0
    whole = join([page.table for page in store.load([orbits], 0, COUNT, where=field("orbit") >= 5)])
    assert whole["orbit"].to_pylist() == list(range(5, COUNT))
    assert open_transactions(connection) == 0


@pytest.mark.parametrize("count", [0, 3, 4, 5, 8])
def test_rows_are_fetched_in_parts(ledger_url: str, count: int) -> None:
    """Each has as many as were wanted, but for the last; the connection is good for other statements afterwards."""
    connections = Connections(ledger_url, None)

    with connections.arrow() as connection:
        tables = list(connection.fetched("select generate_series(1, $1::integer) as number", (count,), 4))
        after = connection.table("select 7 as number")

    assert [row for table in tables for row in table.column(0).to_pylist()] == list(range(1, count + 1))
    assert all(table.num_rows == 4 for table in tables[:-1])
    assert after.column(0).to_pylist() == [7]
    connections.close()
