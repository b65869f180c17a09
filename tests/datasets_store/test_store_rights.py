"""Whoever may only read loads everything, and is told in one sentence what he may not do."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from uuid import uuid4

import pytest
from psycopg import sql
from store_sample import ids_of, rows_of, sample

from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.store import loading, pages, segments
from tilebox_celery.datasets.store.open import open_store
from tilebox_celery.datasets.store.pages import join
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.errors import AuthenticationError
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings

SMALL = Schema(DatasetKind.TEMPORAL, (Field("orbit", FieldType.INT32),))


@pytest.fixture
def points(store: DatasetStore) -> CollectionRecord:
    """A collection of 300 datapoints."""
    points = store.create_collection(store.create_or_update_dataset("a.first", SMALL), "one")
    store.ingest(points, sample(300, schema=SMALL))
    return points


@pytest.fixture(params=["may read only", "reads in transactions that may read only"])
def reader(
    request: pytest.FixtureRequest, points: CollectionRecord, connection: Connection, ledger_url: str
) -> Iterator[DatasetStore]:
    """The store of a login without the right to change anything: by its grants, or by its transactions."""
    del points
    role = f"reader_{uuid4().hex}"
    rights = "select" if request.param == "may read only" else "all"
    statements = [
        "create role {}  login",
        "grant usage on schema tbd to {}",
        "grant ALL on all tables in schema tbd to {}",
    ]
    for each in statements:
        connection.execute(sql.SQL(each.replace("ALL", rights)).format(sql.Identifier(role)))  # type: ignore[arg-type]  # our own
    if rights == "all":
        connection.execute(sql.SQL("alter role {} set default_transaction_read_only = on").format(sql.Identifier(role)))
    store = open_store(Settings(ledger_url=ledger_url.replace("postgresql://postgres@", f"postgresql://{role}@")))
    yield store
    store.close()
    connection.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
    with suppress(Exception):
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def test_a_reader_loads_what_he_may_not_seal(
    reader: DatasetStore, points: CollectionRecord, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments only make loads faster: a load that can store none gives its rows."""
    monkeypatch.setattr(loading, "FEW_ROWS", 0)
    monkeypatch.setattr(pages, "PAGE_ROWS", 64)
    monkeypatch.setattr(segments, "SMALLEST_ROWS", 16)

    loaded = join([page.table for page in reader.load([points], 0, 2**42)])

    assert rows_of(loaded) == rows_of(sample(300, schema=SMALL))
    assert connection.execute("select count(*) from tbd.segments").fetchone() == (0,)


def test_a_reader_gets_a_collection_that_exists(reader: DatasetStore, points: CollectionRecord) -> None:
    """Only to make one takes the right to do so."""
    assert reader.create_collection(points.dataset, "one", exists_ok=True) == points


@pytest.mark.parametrize(
    "change",
    [
        lambda store, points: store.ingest(points, sample(3, 1, schema=SMALL)),
        lambda store, points: store.delete(points, ids_of(sample(3, schema=SMALL))),
        lambda store, points: store.create_collection(points.dataset, "two"),
        lambda store, points: store.delete_collection(points),
        lambda store, points: store.create_or_update_dataset("b.second", SMALL),
        lambda store, points: store.delete_dataset("a.first", force=True),
    ],
)
def test_a_reader_is_told_what_he_may_not_do(
    reader: DatasetStore, points: CollectionRecord, change: Callable[[DatasetStore, CollectionRecord], object]
) -> None:
    """In the words of Postgres, without the statement and the names of a driver."""
    with pytest.raises(AuthenticationError, match=r"does not permit this: (permission denied|cannot execute)") as told:
        change(reader, points)

    assert str(told.value).endswith(". Ask its owner for the right.")
    assert "SQLSTATE" not in str(told.value)
    assert reader.info(points).total == 300
