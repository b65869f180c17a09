"""Segments give what rows give, whatever happens between: ingest, delete, kill."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_sample import EVERY_TYPE, START, ids_of, rows_of, sample

from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.store import loading, pages, segments
from tilebox_celery.datasets.store.arrow_connection import ArrowConnection
from tilebox_celery.datasets.store.pages import join
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.postgres.connection import Connection

END = START + 10**9
SMALL = Schema(
    DatasetKind.TEMPORAL, (Field("level", FieldType.ENUM), Field("n", FieldType.INT32), Field("name", FieldType.STRING))
)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make few rows count as many, so that small tests seal several segments."""
    monkeypatch.setattr(loading, "FEW_ROWS", 0)
    monkeypatch.setattr(pages, "PAGE_ROWS", 64)
    monkeypatch.setattr(segments, "SMALLEST_ROWS", 16)


def load(store: DatasetStore, collection: CollectionRecord, first: int = 0, end: int = END) -> pa.Table:
    """Load everything of an interval as one table; empty without columns."""
    tables = [page.table for page in store.load([collection], first, end)]
    return join(tables) if tables else pa.table({})


def sealed(connection: Connection) -> list[tuple[int, int]]:
    """Return count and version of all segments."""
    return connection.execute("select count, version from tbd.segments order by collection_key, first_ms").fetchall()


@pytest.mark.usefixtures("small_pages")
def test_a_big_load_seals_what_it_read(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """The first load seals pages of rows, and the next one gives the same from segments alone."""
    table = sample(300)
    store.ingest(collection, table)

    first = load(store, collection)
    assert [count for count, _ in sealed(connection)] == [64, 64, 64, 64, 44]
    connection.execute("update tbd.rows_1 set one_int64 = 1234, ingestion_time = now()")  # behind the store's back

    again = load(store, collection)
    assert rows_of(again) == rows_of(first) == rows_of(table)
    assert again.column_names == first.column_names
    assert again.column("ingestion_time").combine_chunks() == first.column("ingestion_time").combine_chunks()
    skipped = join([page.table for page in store.load([collection], 0, END, skip_data=True)])
    assert skipped == again.select(skipped.column_names)


@pytest.mark.usefixtures("small_pages")
def test_part_of_a_segment_is_cut_at_both_ends(store: DatasetStore, collection: CollectionRecord) -> None:
    """An interval inside segments gives exactly its rows."""
    table = sample(300, span_ms=40)
    store.ingest(collection, table)
    load(store, collection)

    for first in range(START - 1, START + 41, 5):
        for end in range(first, START + 42, 7):
            wanted = [row for row in rows_of(table) if first <= _ms(row) < end]
            found = load(store, collection, first, end)
            assert (rows_of(found) if found.num_columns else []) == wanted


@pytest.mark.usefixtures("small_pages")
def test_a_change_drops_only_the_segments_that_it_touches(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """Ingest and delete leave all other segments in place."""
    table = sample(300)
    store.ingest(collection, table)
    load(store, collection)
    before = len(sealed(connection))

    store.delete(collection, ids_of(table)[:1])
    assert len(sealed(connection)) == before - 1
    store.ingest(collection, table)

    assert len(sealed(connection)) == before - 1  # that one lay in the gap
    assert rows_of(load(store, collection)) == rows_of(table)
    assert len(sealed(connection)) == before
    store.ingest(collection, sample(100, 5))
    assert sealed(connection) == []


@pytest.mark.usefixtures("small_pages")
def test_what_changes_during_a_load_is_not_sealed(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """A load goes on with the rows of its moment, and seals nothing once others have changed the collection."""
    table, more = sample(300, 1), sample(30, 2)
    store.ingest(collection, table)
    running = store.load([collection], 0, END)
    first = next(running)

    store.ingest(collection, more)
    rest = [page.table for page in running]

    assert rows_of(join([first.table, *rest])) == rows_of(table)
    assert sealed(connection) == []
    assert rows_of(load(store, collection)) == rows_of(pa.concat_tables([table, more]))


@pytest.mark.usefixtures("small_pages")
def test_a_load_from_segments_sees_one_moment(store: DatasetStore, collection: CollectionRecord) -> None:
    """Segments and rows that change while a load runs are given as they were when it began."""
    table = sample(300, 1)
    store.ingest(collection, table)
    load(store, collection)
    running = store.load([collection], 0, END)
    tables = [next(running).table]

    store.ingest(collection, sample(300, 2))
    store.delete(collection, ids_of(table))
    tables += [page.table for page in running]

    assert rows_of(join(tables)) == rows_of(table)


@pytest.mark.usefixtures("small_pages")
def test_fields_that_were_added_are_absent_in_old_segments(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """Old segments serve the new schema, and whoever has the old schema seals nothing."""
    table = sample(100)
    store.ingest(collection, table)
    load(store, collection)
    fields = (*EVERY_TYPE.fields, Field("added", FieldType.INT32))
    newer = store.find_collection(
        store.create_or_update_dataset("group.every_type", Schema(EVERY_TYPE.kind, fields)), "first"
    )

    loaded = load(store, newer)
    assert loaded.column("added").null_count == 100
    connection.execute("delete from tbd.segments")
    assert rows_of(load(store, collection)) == rows_of(table)
    assert sealed(connection) == []


@pytest.mark.usefixtures("small_pages")
def test_an_abandoned_load_gives_its_connection_up(
    store: DatasetStore, collection: CollectionRecord, connection: Connection
) -> None:
    """Whoever stops in the middle of a load leaves no open transaction behind."""
    store.ingest(collection, sample(300))
    for _ in range(3):
        running = store.load([collection], 0, END)
        next(running)
        running.close()  # type: ignore[attr-defined]  # it is a generator

    open_ones = connection.execute(
        "select count(*) from pg_stat_activity where application_name = 'tilebox-celery datasets' and xact_start"
        " is not null and datname = current_database()"
    ).fetchone()
    assert open_ones == (0,)


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("ingest"), st.integers(0, 5), st.integers(0, 99)),
        st.tuples(st.just("delete"), st.integers(0, 5), st.integers(0, 99)),
        st.tuples(st.just("load"), st.integers(0, 120), st.integers(0, 120)),
        st.tuples(st.just("during"), st.integers(0, 5), st.integers(0, 99)),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.usefixtures("small_pages")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_segments_always_equal_rows(store: DatasetStore, changes: list[tuple[str, int, int]]) -> None:
    """Whatever is ingested, deleted and loaded in whatever order, a load gives what a dictionary holds."""
    dataset = store.create_or_update_dataset("a.small", SMALL)
    collection = store.create_collection(dataset, "random", exists_ok=True)
    held: dict[bytes, dict[str, object]] = {}

    def change(name: str, seed: int, size: int) -> None:
        table = sample(size, seed, span_ms=100, schema=SMALL)
        rows = {row["id"]: row for row in rows_of(table)}
        if name == "delete":
            assert store.delete(collection, ids_of(table)) == len(held.keys() & rows.keys())
            for key in rows:
                held.pop(key, None)
        else:
            assert store.ingest(collection, table) == len(rows.keys() - held.keys())
            held.update(rows)

    def wanted(first: int, end: int) -> list[dict[str, object]]:
        rows = [row for row in held.values() if START + first <= _ms(row) < START + end]
        return sorted(rows, key=lambda row: (row["time"], row["id"]))

    for name, one, two in changes:
        if name == "load":
            found = load(store, collection, START + one, START + two)
            assert (rows_of(found) if found.num_columns else []) == wanted(one, two)
        elif name == "during":
            before = wanted(0, 200)
            running = store.load([collection], START, START + 200)
            tables = [page.table for page in [next(running, None)] if page is not None]
            change("delete" if two % 2 else "ingest", one, two)
            tables += [page.table for page in running]
            assert (rows_of(join(tables)) if tables else []) == before
        else:
            change(name, one, two)
    found = load(store, collection)
    assert (rows_of(found) if found.num_columns else []) == wanted(-(10**9), 10**9)
    assert store.info(collection).total == len(held)
    store.delete_collection(collection)


VICTIM = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from store_sample import sample
from tilebox_celery.datasets.store import loading, pages, segments
from tilebox_celery.datasets.store.arrow_connection import ArrowConnection
from tilebox_celery.datasets.store.open import open_store
from tilebox_celery.settings import Settings
loading.FEW_ROWS, pages.PAGE_ROWS, segments.SMALLEST_ROWS = 0, 64, 16
store = open_store(Settings(ledger_url=sys.argv[1]))
collection = store.find_collection(store.find_dataset("group.every_type"), "first")
def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def victim(ledger_url: str, what: str) -> int:
    """Run a process that kills itself at a chosen place, and return its exit code."""
    program = VICTIM + textwrap.dedent(what)
    done = subprocess.run(
        [sys.executable, "-c", program, ledger_url, str(Path(__file__).parent)],
        env={**os.environ},
        check=False,
        capture_output=True,
    )
    return done.returncode


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("at", "stored"),
    [("copy", 0), ("update tbd.collections", 0), ("delete from tbd.segments", 0), ("commit", 0), ("after", 200)],
)
def test_a_process_killed_during_an_ingest_leaves_all_or_nothing(
    store: DatasetStore, collection: CollectionRecord, ledger_url: str, at: str, stored: int
) -> None:
    """kill -9 after each statement of an ingest: rows, count and segments fit each other, and the next ingest works."""
    old = sample(100, 1)
    store.ingest(collection, old)
    load(store, collection)

    code = victim(
        ledger_url,
        f"""
        at = {at!r}
        def wrap(method):
            def wrapped(self, query, *arguments):
                result = method(self, query, *arguments)
                if str(query).startswith(at) or (method.__name__ == at):
                    die()
                return result
            return wrapped
        if at == "commit":  # before it is sent
            original = ArrowConnection.execute
            ArrowConnection.execute = lambda self, q, p=None: die() if q == "commit" else original(self, q, p)
        else:
            for name in ("copy", "execute", "table"):
                setattr(ArrowConnection, name, wrap(getattr(ArrowConnection, name)))
        store.ingest(collection, sample(200, 2))
        die()
        """,
    )

    assert code == -signal.SIGKILL
    assert store.info(collection).total == 100 + stored
    assert load(store, collection).num_rows == 100 + stored
    store.ingest(collection, sample(200, 2))
    assert rows_of(load(store, collection)) == rows_of(pa.concat_tables([old, sample(200, 2)]))


@pytest.mark.usefixtures("small_pages")
def test_a_process_killed_while_it_seals_leaves_whole_segments(
    store: DatasetStore, collection: CollectionRecord, ledger_url: str, connection: Connection
) -> None:
    """kill -9 between the second segment's insert and its commit: one segment is there, and loads are right."""
    table = sample(300)
    store.ingest(collection, table)

    code = victim(
        ledger_url,
        """
        import psycopg
        original, count = psycopg.Connection.execute, 0
        def execute(self, query, *arguments, **options):
            global count
            result = original(self, query, *arguments, **options)
            if "insert into tbd.segments" in str(query):
                count += 1
                if count == 2:
                    die()
            return result
        psycopg.Connection.execute = execute
        list(store.load([collection], 0, 2**42))
        """,
    )

    assert code == -signal.SIGKILL
    assert [count for count, _ in sealed(connection)] == [64]
    assert rows_of(load(store, collection)) == rows_of(table)


def test_few_rows_do_not_touch_segments(
    store: DatasetStore, collection: CollectionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small load is one look at the index and one select."""
    store.ingest(collection, sample(50))
    asked: list[str] = []
    for name in ("table", "batches"):
        method = getattr(ArrowConnection, name)
        monkeypatch.setattr(
            ArrowConnection, name, lambda self, query, p=None, m=method: asked.append(query) or m(self, query, p)
        )

    assert load(store, collection).num_rows == 50
    assert len(asked) == 2
    assert not any("segments" in query for query in asked)


def _ms(row: dict[str, object]) -> int:
    return int(row["id"][:6].hex(), 16)  # type: ignore[index]  # the bytes of an id
