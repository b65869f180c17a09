"""A datasets client of an empty database, and a filled collection of real Sentinel-2 items."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tilebox_celery.datasets import Client
from tilebox_celery.datasets.sync.open_data import create_open_dataset, read_open_tables
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection

ITEMS = Path(__file__).parents[1] / "data" / "stac" / "sentinel-2-l2a-africa-2020-06-06.json"
SENTINEL2 = "open_data.copernicus.sentinel2_msi"


@pytest.fixture
def datasets_client(ledger_url: str) -> Iterator[Client]:
    """A client of the empty database of this test."""
    client = Client(ledger_url)
    yield client
    client.close()


@pytest.fixture
def sentinel2(datasets_client: Client) -> TimeseriesCollection:
    """The nine real items of one orbit strip of 2020-06-06, in the documented dataset."""
    dataset = create_open_dataset(datasets_client, SENTINEL2)
    [(name, table)] = read_open_tables(SENTINEL2, ITEMS).items()
    collection = dataset.create_collection(name)
    collection.ingest(table)
    return collection
