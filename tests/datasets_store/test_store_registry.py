"""Datasets and collections: created, found, changed, refused."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from store_sample import EVERY_TYPE, sample

from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.store.open import open_store
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.errors import ArgumentError, AuthenticationError, LedgerUnavailable, NotFoundError
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings

SMALL = Schema(DatasetKind.TEMPORAL, (Field("orbit", FieldType.INT32),))


def test_a_dataset_is_found_by_its_slug(store: DatasetStore) -> None:
    """What was created is found again with all that describes it, and listed by slug."""
    made = store.create_or_update_dataset("b.second", EVERY_TYPE, "Second", "The second one.")
    other = store.create_or_update_dataset("a.first", SMALL)

    assert store.find_dataset("b.second") == made
    assert (made.name, made.description, made.schema) == ("Second", "The second one.", EVERY_TYPE)
    assert store.datasets() == [other, made]
    assert other.name == "a.first"


def test_an_unknown_dataset_is_not_found(store: DatasetStore) -> None:
    """The error names the dataset and those that exist."""
    store.create_or_update_dataset("a.first", SMALL)

    with pytest.raises(NotFoundError, match=r"No such dataset 'nope': there are a\.first\."):
        store.find_dataset("nope")


def test_creating_again_changes_nothing(store: DatasetStore) -> None:
    """The same call gives the same dataset."""
    made = store.create_or_update_dataset("a.first", SMALL, "First", "Words.")

    assert store.create_or_update_dataset("a.first", SMALL) == made


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (Schema(DatasetKind.TEMPORAL, (Field("level", FieldType.ENUM),)), "to remove the field 'orbit'"),
        (
            Schema(DatasetKind.TEMPORAL, (Field("orbit", FieldType.STRING),)),
            "a change of the field 'orbit' from int32 to string",
        ),
        (Schema(DatasetKind.SPATIOTEMPORAL, SMALL.fields), "a change of its kind from temporal to spatiotemporal"),
    ],
)
def test_a_change_that_loses_data_is_refused(store: DatasetStore, changed: Schema, named: str) -> None:
    """It is refused, naming the field, while there are datapoints, and made when there are none."""
    dataset = store.create_or_update_dataset("a.first", SMALL)
    collection = store.create_collection(dataset, "one")
    table = sample(3, schema=SMALL)
    store.ingest(collection, table)

    with pytest.raises(ArgumentError, match=named):
        store.create_or_update_dataset("a.first", changed)
    assert store.find_dataset("a.first").schema == SMALL

    store.delete_collection(collection)
    dataset = store.create_or_update_dataset("a.first", changed)
    assert store.ingest(store.create_collection(dataset, "one"), sample(3, schema=changed)) == 3


@pytest.mark.parametrize("slug", ["", "A", "a..b", "a.b-c", ".a", "a."])
def test_a_slug_that_cannot_be_used_is_refused(store: DatasetStore, slug: str) -> None:
    """A slug is lower case words with dots between."""
    with pytest.raises(ArgumentError, match="dataset slug"):
        store.create_or_update_dataset(slug, SMALL)


def test_a_dataset_cannot_be_a_group_too(store: DatasetStore) -> None:
    """Neither above nor below an existing dataset can there be another one."""
    store.create_or_update_dataset("a.b", SMALL)

    for slug in ("a", "a.b.c"):
        with pytest.raises(ArgumentError, match=r"beside the dataset 'a\.b'"):
            store.create_or_update_dataset(slug, SMALL)
    store.create_or_update_dataset("a.bc", SMALL)


def test_collections_have_unique_names(store: DatasetStore, collection: CollectionRecord) -> None:
    """A name is taken once for each dataset; unknown names are not found."""
    second = store.create_collection(collection.dataset, "A")

    assert store.collections(collection.dataset) == [second, collection]
    assert store.create_collection(collection.dataset, "first", exists_ok=True) == collection
    with pytest.raises(ArgumentError, match="already has a collection 'first'"):
        store.create_collection(collection.dataset, "first")
    with pytest.raises(ArgumentError, match="collection name"):
        store.create_collection(collection.dataset, " ")
    with pytest.raises(NotFoundError, match="No such collection Sat-X"):
        store.find_collection(collection.dataset, "Sat-X")


@pytest.mark.parametrize("name", [None, 5, b"one", "a\0", "\ud800", "x" * 1001, ""])
def test_a_name_that_no_collection_can_have(store: DatasetStore, name: Any) -> None:
    """It is refused when one is made, and is not found; so is such a slug."""
    dataset = store.create_or_update_dataset("a.first", SMALL)

    for exists_ok in (False, True):
        with pytest.raises(ArgumentError, match="collection name"):
            store.create_collection(dataset, name, exists_ok=exists_ok)
    with pytest.raises(NotFoundError, match="No such collection"):
        store.find_collection(dataset, name)
    with pytest.raises(NotFoundError, match="No such dataset"):
        store.find_dataset(name)
    if not isinstance(name, str):
        with pytest.raises(ArgumentError, match="dataset slug"):
            store.create_or_update_dataset(name, SMALL)


def test_more_fields_than_a_table_can_have_are_one_sentence(store: DatasetStore) -> None:
    """Postgres says how many."""
    fields = tuple(Field(f"number_{number}", FieldType.INT32) for number in range(1700))

    with pytest.raises(ArgumentError, match="at most 1600 columns"):
        store.create_or_update_dataset("a.wide", Schema(DatasetKind.TEMPORAL, fields))


def test_a_stale_record_says_that_its_dataset_has_changed(store: DatasetStore, collection: CollectionRecord) -> None:
    """An ingest with fields that are gone is one sentence."""
    store.create_or_update_dataset("group.every_type", Schema(DatasetKind.SPATIOTEMPORAL))

    with pytest.raises(ArgumentError, match="was changed by somebody else"):
        store.ingest(collection, sample(2))


def test_opening_again_finds_the_same(store: DatasetStore, collection: CollectionRecord, ledger_url: str) -> None:
    """The tables are made once and kept."""
    again = open_store(Settings(ledger_url=ledger_url))

    assert again.find_dataset("group.every_type") == collection.dataset
    again.close()


def test_a_connection_that_was_lost_is_replaced(
    store: DatasetStore, collection: CollectionRecord, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart of the server the next call works: idle connections are asked before they are trusted."""
    monkeypatch.setattr("tilebox_celery.datasets.store.pool.TRUSTED_SECONDS", 0.0)
    store.ingest(collection, sample(5))
    connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"  # not those of tests that run at the same time
        " where application_name = 'tilebox-celery datasets' and datname = current_database()"
    )

    assert store.info(collection).total == 5
    assert store.find_dataset("group.every_type") == collection.dataset
    assert [page.table.num_rows for page in store.load([collection], 0, 2**42)] == [5]


def test_one_lost_connection_is_enough_to_doubt_the_others(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """When the server has restarted, one call says so, and the next one works: it takes no other lost connection."""
    with ThreadPoolExecutor(3) as threads:
        loads = [store.load([collection], 0, 2**42) for _ in range(3)]
        store.ingest(collection, sample(5))
        barrier = Barrier(3)
        list(threads.map(lambda load: (barrier.wait(10), list(load)), loads))
    connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name = 'tilebox-celery datasets' and datname = current_database()"
    )

    with pytest.raises(LedgerUnavailable, match="was lost, try again"):
        list(store.load([collection], 0, 2**42))
    assert store.info(collection).total == 5
    assert [page.table.num_rows for page in store.load([collection], 0, 2**42)] == [5]


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    """Opening says that the server cannot be reached."""
    with pytest.raises(LedgerUnavailable, match="cannot be reached"):
        open_store(Settings(ledger_url="postgresql://nobody@127.0.0.1:1/none"))


def test_a_user_without_rights_is_told(ledger_url: str, connection: Connection) -> None:
    """A login that may not create tables is refused in one sentence."""
    connection.execute("create role may_nothing login")
    try:
        with pytest.raises(AuthenticationError, match="does not permit this"):
            open_store(Settings(ledger_url=ledger_url.replace("postgresql://postgres@", "postgresql://may_nothing@")))
    finally:
        connection.execute("drop role may_nothing")
