"""A dataset is deleted whole or not at all, whoever uses it meanwhile and whatever is killed."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from store_sample import EVERY_TYPE, sample

from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.postgres.connection import Connection, connect

SLUG = "group.every_type"
VICTIM = """
import os, signal, sys
import psycopg
from tilebox_celery.datasets.store.open import open_store
from tilebox_celery.settings import Settings
store = open_store(Settings(ledger_url=sys.argv[1]))
store.datasets()
original, left = psycopg.Connection.execute, int(sys.argv[2])
def execute(self, query, *arguments, **options):
    global left
    result = original(self, query, *arguments, **options)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
psycopg.Connection.execute = execute
store.delete_dataset("group.every_type", force=True)
"""
STATEMENTS = 10
"""That a deletion runs before it commits; the last three are those that delete."""


def remains(connection: Connection) -> tuple[int, int, int, int]:
    """Return how many datasets, collections, segments and tables of rows there are."""
    row = connection.execute(
        "select (select count(*) from tbd.datasets), (select count(*) from tbd.collections),"
        " (select count(*) from tbd.segments),"
        " (select count(*) from pg_tables where schemaname = 'tbd' and tablename like 'rows%')"
    ).fetchone()
    assert row is not None
    return row


def seal(connection: Connection, collection: CollectionRecord) -> None:
    """Add a segment, as a large load does."""
    connection.execute(
        "insert into tbd.segments (collection_key, first_ms, end_ms, count, version, layout, metadata, data)"
        " values (%s, 0, 1, 1, 1, 1, '', '')",
        (collection.key,),
    )


def test_a_dataset_with_datapoints_is_deleted_if_that_is_meant(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """Without force it is refused in one sentence; with force everything goes, and the slug is free again."""
    store.ingest(collection, sample(5))
    seal(connection, collection)
    other = store.create_or_update_dataset("group.other", EVERY_TYPE)

    with pytest.raises(ArgumentError, match=r"^The dataset 'group\.every_type' has 5 datapoints and was not deleted.*"):
        store.delete_dataset(SLUG)
    assert store.info(collection).total == 5
    assert store.delete_dataset(SLUG, force=True) == 5

    assert remains(connection) == (1, 0, 0, 1)
    assert store.datasets() == [other]
    with pytest.raises(NotFoundError, match=r"No such dataset 'group\.every_type'"):
        store.delete_dataset(SLUG, force=True)
    again = store.create_or_update_dataset(SLUG, EVERY_TYPE)
    assert (again.id != collection.dataset.id, store.collections(again)) == (True, [])


def test_an_empty_dataset_is_deleted_without_force(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """Collections without datapoints are no reason to refuse."""
    assert store.delete_dataset(SLUG) == 0
    assert remains(connection) == (0, 0, 0, 0)


def test_whoever_still_has_it_is_told(store: DatasetStore, collection: CollectionRecord) -> None:
    """Every use of a dataset that is gone is one sentence."""
    store.delete_dataset(SLUG, force=True)

    for use in (
        lambda: store.ingest(collection, sample(2)),
        lambda: store.info(collection),
        lambda: list(store.load([collection], 0, 2**42)),
        lambda: store.create_collection(collection.dataset, "new"),
        lambda: store.delete_collection(collection),
        lambda: store.delete(collection, []),
    ):
        with pytest.raises((NotFoundError, ArgumentError), match=r"No such collection|was changed by somebody else"):
            use()


@pytest.mark.parametrize("statement", range(STATEMENTS - 3, STATEMENTS + 1))
def test_a_process_killed_during_a_deletion_leaves_all(
    store: DatasetStore, collection: CollectionRecord, connection: Connection, ledger_url: str, statement: int
) -> None:
    """kill -9 after the last lock, and after each statement that deletes: the dataset is there with all it held."""
    store.ingest(collection, sample(5))
    seal(connection, collection)

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(VICTIM), ledger_url, str(statement)], check=False, env={**os.environ}
    )

    assert done.returncode == -signal.SIGKILL
    assert remains(connection) == (1, 1, 1, 1)
    assert store.info(collection).total == 5
    assert store.delete_dataset(SLUG, force=True) == 5
    assert remains(connection) == (0, 0, 0, 0)


def test_the_statements_above_are_all(store: DatasetStore, collection: CollectionRecord, ledger_url: str) -> None:
    """A deletion that is killed after one statement more than it has is not killed."""
    done = subprocess.run([sys.executable, "-c", VICTIM, ledger_url, str(STATEMENTS + 1)], check=False)

    assert done.returncode == 0
    assert store.datasets() == []


def test_a_deletion_waits_for_those_who_hold_a_collection(
    store: DatasetStore, collection: CollectionRecord, connection: Connection, ledger_url: str
) -> None:
    """Whoever has locked a collection, and wants its rows next, ends first: nobody is killed as a deadlock."""
    store.ingest(collection, sample(5))
    table = f"tbd.rows_{collection.dataset.key}"
    with connect(ledger_url) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute("update tbd.collections set version = version + 1 where key = %s", (collection.key,))
            deletion = pool.submit(store.delete_dataset, SLUG, force=True)
            _wait_until_blocked_or_busy(connection)
            other.execute(f"delete from {table}")
            assert not deletion.done()
        assert deletion.result(30) == 5

    assert remains(connection) == (0, 0, 0, 0)


def test_ingests_and_deletions_at_once_end_all(store: DatasetStore, connection: Connection) -> None:
    """Ingests into a dataset that is deleted either end before, or are told; what stays behind is consistent."""
    told: list[Exception] = []
    for round_ in range(5):
        dataset = store.create_or_update_dataset(SLUG, EVERY_TYPE)
        collections = [store.create_collection(dataset, name) for name in ("a", "b", "c")]
        start = threading.Barrier(4)

        def ingest(collection: CollectionRecord, start: threading.Barrier = start) -> None:
            start.wait(20)
            try:
                for seed in range(3):
                    store.ingest(collection, sample(20, seed))
                    store.delete(collection, [])
            except (NotFoundError, ArgumentError) as error:
                told.append(error)

        def delete(start: threading.Barrier = start, pause: float = 0.01 * round_) -> None:
            start.wait(20)
            threading.Event().wait(pause)
            store.delete_dataset(SLUG, force=True)

        with ThreadPoolExecutor(4) as pool:
            for job in [*(pool.submit(ingest, each) for each in collections), pool.submit(delete)]:
                job.result(60)
        assert remains(connection) == (0, 0, 0, 0)
    assert told


def _wait_until_blocked_or_busy(connection: Connection) -> None:
    """Wait until the deletion asks for the collections, or has been refused: then psycopg forgets its statements."""
    for _ in range(500):
        row = connection.execute(
            "select count(*) from pg_stat_activity where application_name = 'tilebox-celery datasets'"
            " and datname = current_database() and (query like '%for update nowait%' or query = 'DEALLOCATE ALL')"
        ).fetchone()
        if row is not None and row[0]:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the deletion did not come to the collections")
