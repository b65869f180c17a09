"""Clients are opened, forgotten, closed and inherited as tasks do it: no connection is left, none is shared."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterator

import pytest

from tests.storage.test_storage_processes import in_fork
from tilebox_celery.datasets import Client, aio
from tilebox_celery.datasets.store.connections import NAME
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection
from tilebox_celery.postgres.connection import Connection

JUNE = ("2020-06-01", "2020-07-01")
SENTINEL2 = "open_data.copernicus.sentinel2_msi"
COUNT = "select count(*) from pg_stat_activity where application_name = %s and datname = current_database()"


@pytest.fixture
def open_connections(connection: Connection, sentinel2: TimeseriesCollection) -> Callable[[int], int]:
    """Count the connections of datasets, beside those of the client that filled the collection; given time to end."""

    def count() -> int:
        row = connection.execute(COUNT, (NAME,)).fetchone()
        assert row is not None
        return int(row[0])

    before = count()

    def within(seconds: int) -> int:
        deadline = time.monotonic() + seconds
        while count() > before and time.monotonic() < deadline:
            time.sleep(0.02)
        return count() - before

    return within


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """Objects end with their last name only, as in a worker between two collections."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
def test_a_forgotten_client_leaves_no_connection(ledger_url: str, open_connections: Callable[[int], int]) -> None:
    """A client of a task that is never closed ends with its task, and so do its connections."""

    async def fetch() -> int:
        dataset = await aio.Client(ledger_url).dataset(SENTINEL2)
        loads = await asyncio.gather(*(dataset.collection("S2B_S2MSI2A").load(JUNE) for _ in range(3)))
        return sum(each.sizes["time"] for each in loads)

    assert [asyncio.run(fetch()) for _ in range(3)] == [27, 27, 27]

    assert open_connections(10) == 0


def test_first_requests_at_once_share_their_connections(
    ledger_url: str, open_connections: Callable[[int], int]
) -> None:
    """What several threads have opened at the same moment is closed by one close, though datasets are still there."""

    async def fetch() -> list[object]:
        client = aio.Client(ledger_url)
        datasets = await asyncio.gather(*(client.dataset(SENTINEL2) for _ in range(8)))
        await client.close()
        return list(datasets)

    datasets = asyncio.run(fetch())

    assert len(datasets) == 8
    assert open_connections(10) == 0


@pytest.mark.usefixtures("sentinel2")
def test_a_fork_uses_connections_of_its_own(ledger_url: str) -> None:
    """A client that was in use loads in a prefork child, and goes on in the parent, whatever the child closed."""
    client = Client(ledger_url)
    collection = client.dataset(SENTINEL2).collection("S2B_S2MSI2A")
    whole = collection.load(JUNE)

    def child() -> None:
        assert collection.load(JUNE).identical(whole)
        assert client.dataset(SENTINEL2).collection("S2B_S2MSI2A").load(JUNE).identical(whole)
        client.close()

    assert in_fork(child) == "done"
    assert collection.load(JUNE).identical(whole)
    client.close()


@pytest.mark.usefixtures("sentinel2")
@pytest.mark.parametrize("ending", ["closed", "collected"])
def test_a_fork_leaves_the_connections_of_its_parent_alone(ledger_url: str, ending: str) -> None:
    """Closed, or forgotten, in a fork that never used it, a client still loads in the parent."""
    clients = [Client(ledger_url)]
    collection = clients[0].dataset(SENTINEL2).collection("S2B_S2MSI2A")
    collections = [collection]
    whole = collection.load(JUNE)
    del collection

    def child() -> None:
        if ending == "closed":
            clients[0].close()
        clients.clear()
        collections.clear()
        gc.collect()

    assert in_fork(child) == "done"
    assert collections[0].load(JUNE).identical(whole)
    clients[0].close()
