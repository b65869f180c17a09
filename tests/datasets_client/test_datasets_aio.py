"""The asynchronous client gives what the synchronous one gives, and its requests overlap."""

import asyncio
from typing import Any, LiteralString

import psycopg
import pytest

from tilebox_celery.datasets.aio import Client
from tilebox_celery.datasets.store.selection import rows_of
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection

JUNE = ("2020-06-01", "2020-07-01")
WAITING: LiteralString = (
    "select count(*) from pg_stat_activity where datname = current_database()"
    " and application_name = 'tilebox-celery datasets' and wait_event_type = 'Lock'"
)


@pytest.mark.clause("1.11-8")
@pytest.mark.clause("d1.1-11")
def test_awaited_requests_give_the_same(ledger_url: str, sentinel2: TimeseriesCollection) -> None:
    """datasets, collections, info, load and find are awaited, and equal those of the synchronous client."""

    async def ask() -> tuple[Any, ...]:
        client = Client(ledger_url)
        dataset = (await client.datasets()).open_data.copernicus.sentinel2_msi
        collections = await dataset.collections()
        collection = dataset.collection("S2B_S2MSI2A")
        data = await collection.load(JUNE)
        found = await collection.find(data["id"].to_numpy()[0])
        info = await collection.info()
        await client.close()
        return list(collections), repr(collections), str(info), data, found

    names, printed, info, data, found = asyncio.run(ask())

    assert names == ["S2B_S2MSI2A"]
    assert printed == f"{{'S2B_S2MSI2A': {sentinel2!r}}}"
    assert info == str(sentinel2.info())
    assert data.identical(sentinel2.load(JUNE))
    assert found.identical(sentinel2.find(data["id"].to_numpy()[0]))


@pytest.mark.clause("d1.1-12")
def test_requests_overlap(ledger_url: str, sentinel2: TimeseriesCollection) -> None:
    """Four loads of one client are in the database at the same time: each waits there for the same locked table."""
    rows = rows_of(sentinel2.record.dataset)

    async def ask() -> list[Any]:
        client = Client(ledger_url)
        collection = (await client.dataset("open_data.copernicus.sentinel2_msi")).collection("S2B_S2MSI2A")
        with psycopg.connect(ledger_url) as lock, psycopg.connect(ledger_url, autocommit=True) as watch:
            lock.execute(f"lock table {rows} in access exclusive mode".encode())
            loads = asyncio.gather(*(collection.load(JUNE) for _ in range(4)))
            for _ in range(200):
                await asyncio.sleep(0.1)
                waiting = watch.execute(WAITING).fetchone()
                if waiting == (4,):
                    break
            lock.rollback()
        found = await loads
        await client.close()
        assert waiting == (4,)
        return found

    assert [each.sizes["time"] for each in asyncio.run(ask())] == [9, 9, 9, 9]


@pytest.mark.clause("d1.1-12")
def test_bars_of_loads_at_once_all_end(
    ledger_url: str, sentinel2: TimeseriesCollection, capsys: pytest.CaptureFixture[str]
) -> None:
    """Loads of one gather draw a bar each, and give the same as one after the other."""

    async def ask() -> list[Any]:
        client = Client(ledger_url)
        collection = (await client.dataset("open_data.copernicus.sentinel2_msi")).collection("S2B_S2MSI2A")
        found = await asyncio.gather(*(collection.load(JUNE, show_progress=True) for _ in range(4)))
        await client.close()
        return found

    expected = sentinel2.load(JUNE)
    assert all(each.identical(expected) for each in asyncio.run(ask()))
    assert capsys.readouterr().err.count("100%") >= 4
