"""The documents' FetchData: asyncio.run inside execute loads datasets in every pool of real workers."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fetching import SENTINEL2, WEEKS, FetchCollections, FetchData
from fleet import Fleet

from tilebox_celery.datasets import Client as DatasetsClient
from tilebox_celery.datasets.sync.dataset import Dataset
from tilebox_celery.datasets.sync.open_data import create_open_dataset, read_open_tables
from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system

STAC = Path(__file__).parents[1] / "data" / "stac"


@pytest.fixture
def sentinel2(ledger_url: str) -> Iterator[Dataset]:
    """The real items of one tile over two months, by satellite."""
    client = DatasetsClient(ledger_url)
    dataset = create_open_dataset(client, SENTINEL2)
    for name, table in read_open_tables(SENTINEL2, STAC / "sentinel-2-l2a-35MNM-2020-jun-jul.json").items():
        dataset.create_collection(name).ingest(table)
    client.close()  # its connections would be counted below
    yield dataset
    client.close()


@pytest.mark.clause("1.1-11")
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_asyncio_run_loads_in_any_pool(fleet: Fleet, client: Client, sentinel2: Dataset, pool: str) -> None:
    """Each task gets what a synchronous load gets, in event loops of its own, and leaves no connection behind."""
    months = ("2020-06-01", "2020-08-01")
    by_collection = [each.load(months).sizes["time"] for each in sentinel2.collections().values()]
    by_week = [sentinel2.collection("S2A_S2MSI2A").load(week).sizes["time"] for week in WEEKS]
    worker = fleet.run(
        [sys.executable, str(Path(__file__).parent / "fetching.py"), "--pool", pool],
        PYTHONWARNINGS="default::ResourceWarning",
    )

    jobs = [client.jobs().submit("fetch", task) for task in (FetchData(), FetchCollections()) for _ in range(4)]

    assert {job.wait(60).state for job in jobs} == {"COMPLETED"}, fleet.logged()[-3000:]
    lines = [line.rpartition(" ") for line in fleet.effects()]
    found = [line for line, _, _ in lines]
    assert found[0] == f"parent {by_collection}"
    assert sorted(found[1:]) == [f"collections {by_collection}"] * 4 + [f"fetched {by_week}"] * 4
    assert (str(worker.pid) in {pid for _, _, pid in lines[1:]}) == (pool != "prefork")
    assert "ResourceWarning" not in fleet.logged()
