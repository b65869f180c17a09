"""Ingest, load, find, count and delete, as rows."""

import threading
import uuid

import pyarrow as pa
import pytest
from store_sample import EVERY_TYPE, START, ids_of, rows_of, sample

from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.schema import Field, FieldType, Schema
from tilebox_celery.datasets.store.pages import join
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.postgres.connection import Connection

END = START + 10**9


def load(store: DatasetStore, *collections: CollectionRecord, **options: object) -> pa.Table:
    """Load everything as one table."""
    pages = [page.table for page in store.load(collections, 0, END, **options)]  # type: ignore[arg-type]  # per test
    return join(pages) if pages else table_schema(collections[0].dataset.schema).empty_table()


def test_every_field_type_comes_back_as_it_was(store: DatasetStore, collection: CollectionRecord) -> None:
    """What was ingested is loaded value by value, in canonical types, sorted by time and id."""
    table = sample(300)

    stored = store.ingest(collection, table)

    loaded = load(store, collection)
    assert stored == 300
    assert loaded.schema == table_schema(EVERY_TYPE)
    assert rows_of(loaded) == rows_of(table)
    keys = list(zip(loaded.column("time").to_pylist(), loaded.column("id").to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert loaded.column("ingestion_time").null_count == 0


def test_a_load_without_data_has_the_identity_only(store: DatasetStore, collection: CollectionRecord) -> None:
    """skip_data gives time, id and ingestion time."""
    store.ingest(collection, sample(10))

    assert load(store, collection, skip_data=True).column_names == ["time", "id", "ingestion_time"]


def test_ingesting_again_stores_nothing(store: DatasetStore, collection: CollectionRecord) -> None:
    """Datapoints that are there already, or are given twice, are stored once."""
    table = sample(50)
    store.ingest(collection, table.slice(0, 20))

    assert store.ingest(collection, pa.concat_tables([table, table])) == 30
    assert store.ingest(collection, table) == 0
    assert rows_of(load(store, collection)) == rows_of(table)


@pytest.mark.clause("d1.7-7")
def test_existing_datapoints_can_be_refused(store: DatasetStore, collection: CollectionRecord) -> None:
    """allow_existing=False refuses the whole call and names the datapoint."""
    table = sample(50)
    store.ingest(collection, table.slice(7, 1))

    with pytest.raises(ArgumentError, match=str(ids_of(table)[7])):
        store.ingest(collection, table, allow_existing=False)

    assert store.info(collection).total == 1


def test_ingests_at_the_same_time_store_each_datapoint_once(store: DatasetStore, collection: CollectionRecord) -> None:
    """Concurrent calls with the same datapoints neither fail nor count twice."""
    table = sample(2_000)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(store.ingest(collection, table))) for _ in range(3)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == 2_000
    assert store.info(collection).total == 2_000
    assert load(store, collection).num_rows == 2_000


def test_info_counts_and_bounds(store: DatasetStore, collection: CollectionRecord) -> None:
    """info gives the count and the first and last millisecond; an empty collection has neither."""
    table = sample(50)
    times = table.column("time").cast(pa.int64()).to_pylist()

    assert store.info(collection) == (0, None, None)
    store.ingest(collection, table)

    assert store.info(collection) == (50, min(times), max(times))


def test_find_looks_in_all_collections(store: DatasetStore, collection: CollectionRecord) -> None:
    """find returns the one row; an unknown id is a NotFoundError that names it."""
    other = store.create_collection(collection.dataset, "other")
    table = sample(20)
    store.ingest(other, table)
    wanted = ids_of(table)[3]

    found = store.find([collection, other], wanted)

    assert rows_of(found) == rows_of(table.slice(3, 1))
    assert store.find([other], wanted, skip_data=True).column_names == ["time", "id", "ingestion_time"]
    unknown = uuid.uuid4()
    with pytest.raises(NotFoundError, match=f"No such datapoint {unknown}"):
        store.find([collection], unknown)


def test_delete_counts_what_was_there(store: DatasetStore, collection: CollectionRecord) -> None:
    """delete removes exactly the given datapoints and passes over unknown and repeated ids."""
    table = sample(20)
    store.ingest(collection, table)
    ids = ids_of(table)

    assert store.delete(collection, [*ids[:5], ids[0], uuid.uuid4()]) == 5
    assert rows_of(load(store, collection)) == rows_of(table.slice(5))
    assert store.info(collection).total == 15


def test_a_load_is_half_open(store: DatasetStore, collection: CollectionRecord) -> None:
    """The first millisecond is included and the end is not; a millisecond may have many datapoints."""
    table = sample(60, span_ms=3)
    store.ingest(collection, table)
    times = table.column("time").cast(pa.int64()).to_pylist()

    pages = list(store.load([collection], START, START + 2))

    assert sum(page.table.num_rows for page in pages) == sum(time < START + 2 for time in times)
    assert list(store.load([collection], START, START)) == []


def test_collections_are_merged_by_time(store: DatasetStore, collection: CollectionRecord) -> None:
    """A load of several collections is sorted as a whole."""
    other = store.create_collection(collection.dataset, "other")
    first, second = sample(40, 1), sample(40, 2)
    store.ingest(collection, first)
    store.ingest(other, second)

    loaded = load(store, collection, other)

    assert rows_of(loaded) == rows_of(pa.concat_tables([first, second]))
    keys = list(zip(loaded.column("time").to_pylist(), loaded.column("id").to_pylist(), strict=True))
    assert keys == sorted(keys)


def test_a_load_of_many_collections_takes_few_connections(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """Each collection gives its connection up with its last page, so that the next one can have it."""
    collections = [store.create_collection(collection.dataset, f"number {number}") for number in range(12)]
    table = sample(24)
    for place, each in enumerate(collections):
        store.ingest(each, table.slice(2 * place, 2))
    pages = store.load(collections, 0, END)

    found = [next(pages).table]

    opened = connection.execute(
        "select count(*) from pg_stat_activity where application_name = 'tilebox-celery datasets'"
        " and datname = current_database()"
    ).fetchone()
    assert opened is not None
    assert opened[0] <= 2  # of which one is for the catalog
    assert rows_of(join([*found, *(page.table for page in pages)])) == rows_of(table)


@pytest.mark.parametrize(("name", "text"), [("one_string", "a\0b"), ("one_json", "{nope"), ("one_json", "[NaN]")])
def test_a_text_that_cannot_be_stored_is_named(
    store: DatasetStore, collection: CollectionRecord, name: str, text: str
) -> None:
    """A NUL character or broken JSON is refused with its field and datapoint, and nothing is stored."""
    table = sample(5)
    place = table.column_names.index(name)
    table = table.set_column(place, name, pa.array([*table.column(name).to_pylist()[:4], text]))

    with pytest.raises(ArgumentError, match=f"Field '{name}' of the datapoint {ids_of(table)[4]}"):
        store.ingest(collection, table)

    assert store.info(collection).total == 0


def test_an_older_record_still_loads_after_a_field_was_added(store: DatasetStore, collection: CollectionRecord) -> None:
    """Whoever has the dataset from before sees its own fields; the new record sees the new one as absent."""
    table = sample(10)
    store.ingest(collection, table)
    fields = (*EVERY_TYPE.fields, Field("added", FieldType.INT32))
    dataset = store.create_or_update_dataset("group.every_type", Schema(EVERY_TYPE.kind, fields))

    assert rows_of(load(store, collection)) == rows_of(table)
    assert load(store, store.find_collection(dataset, "first")).column("added").null_count == 10


def test_a_deleted_collection_takes_nothing(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """Each request for a deleted collection says that it is gone; its rows are gone too."""
    store.ingest(collection, sample(5))
    store.delete_collection(collection)

    for call in (
        lambda: store.ingest(collection, sample(5)),
        lambda: store.info(collection),
        lambda: store.delete(collection, [uuid.uuid4()]),
        lambda: store.delete_collection(collection),
        lambda: load(store, collection),
    ):
        with pytest.raises(NotFoundError, match="No such collection first"):
            call()
    assert connection.execute("select count(*) from tbd.rows_1").fetchone() == (0,)
