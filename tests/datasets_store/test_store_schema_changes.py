"""A dataset gets other fields while clients that do not know it yet, loads and deletes go on."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from store_sample import ids_of, sample

from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.store import loading, pages
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.errors import ArgumentError
from tilebox_celery.postgres.connection import Connection, connect

END = 2**42
SMALL = Schema(DatasetKind.TEMPORAL, (Field("orbit", FieldType.INT32),))
LARGER = Schema(DatasetKind.TEMPORAL, (*SMALL.fields, Field("level", FieldType.ENUM)))


def of_type(kind: FieldType) -> Schema:
    """Return a schema of one field."""
    return Schema(DatasetKind.TEMPORAL, (Field("value", kind),))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (FieldType.INT64, FieldType.DOUBLE),
        (FieldType.DOUBLE, FieldType.TIMESTAMP),
        (FieldType.INT64, FieldType.UINT64),
        (FieldType.STRING, FieldType.BYTES),
        (FieldType.UUID, FieldType.INT64),
    ],
)
def test_a_stale_record_knows_no_values_of_another_type(store: DatasetStore, old: FieldType, new: FieldType) -> None:
    """Who still has the former type of a field is told so: nothing is stored or read in the wrong one."""
    before = store.create_collection(store.create_or_update_dataset("a.first", of_type(old)), "one")
    dataset = store.create_or_update_dataset("a.first", of_type(new))
    after = store.find_collection(dataset, "one")
    table = sample(20, schema=of_type(new))
    store.ingest(after, table)

    for call in (
        lambda: store.ingest(before, sample(20, schema=of_type(old))),
        lambda: list(store.load([before], 0, END)),
        lambda: store.find([before], ids_of(table)[0]),
    ):
        with pytest.raises(ArgumentError, match="was changed by somebody else"):
            call()
    assert (after.id, store.info(after).total) == (before.id, 20)
    assert store.collections(before.dataset) == [before]  # until the dataset itself is asked for again
    with pytest.raises(ArgumentError, match="was changed by somebody else"):
        store.create_collection(before.dataset, "two")


@pytest.mark.usefixtures("_small_pages")
@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.create_or_update_dataset("a.first", LARGER),
        lambda store: store.delete_dataset("a.first", force=True),
    ],
)
def test_a_change_does_not_stop_loads_that_one_thread_reads_in_turns(
    store: DatasetStore, connection: Connection, change: Callable[[DatasetStore], object]
) -> None:
    """It steps back while it has to wait: else it would wait for one load, and the other one for it, for ever."""
    dataset = store.create_or_update_dataset("a.first", SMALL)
    collections = [store.create_collection(dataset, name) for name in ("one", "two")]
    for each in collections:
        store.ingest(each, sample(300, schema=SMALL))
    first, second = (store.load([each], 0, END) for each in collections)
    rows = next(first).table.num_rows

    with ThreadPoolExecutor(2) as threads, closing(first):
        changed = threads.submit(change, store)
        _wait_until(lambda: _waiting(connection, "%rows_1%"))
        rows += threads.submit(next, second).result(30).table.num_rows
        assert not changed.done()
        rows += sum(page.table.num_rows for load in (first, second) for page in load)
        changed.result(30)
    assert rows == 600


def test_a_delete_locks_the_rows_before_the_collection(
    store: DatasetStore, connection: Connection, ledger_url: str
) -> None:
    """As an ingest does: while it waits for a new field, nobody waits for it, among them a load that seals."""
    dataset = store.create_or_update_dataset("a.first", SMALL)
    collection, other = (store.create_collection(dataset, name) for name in ("one", "two"))
    table = sample(3, schema=SMALL)
    store.ingest(collection, table)

    with ThreadPoolExecutor(2) as threads, connect(ledger_url) as blocking:
        waiting: list[Future[Any]] = []
        with blocking.transaction():
            blocking.execute(f"lock table tbd.rows_{dataset.key} in share mode".encode())
            waiting.append(threads.submit(store.delete, collection, ids_of(table)))
            waiting.append(threads.submit(store.delete_collection, other))
            _wait_until(lambda: _waiting(connection, "%") == 2)
            locked = connection.execute("select from tbd.collections for update skip locked").rowcount
        assert locked == 2
        assert [each.result(30) for each in waiting] == [3, None]


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "FEW_ROWS", 0)
    monkeypatch.setattr(pages, "PAGE_ROWS", 64)


def _waiting(connection: Connection, query: str) -> int:
    row = connection.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        " and query like %s",
        (query,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)
