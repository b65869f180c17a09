"""Clients, datasets and collections travel to other processes, as dask and multiprocessing send them."""

import asyncio
import copy
import multiprocessing
import pickle

import pytest

from tilebox_celery.datasets import Client, aio
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection

JUNE = ("2020-06-01", "2020-07-01")
SENTINEL2 = "open_data.copernicus.sentinel2_msi"


def count_june(collection: TimeseriesCollection) -> int:
    """Load in whichever process this is called."""
    return int(collection.load(JUNE).sizes["time"])


def test_a_spawned_process_loads_from_a_collection_that_was_in_use(sentinel2: TimeseriesCollection) -> None:
    """It opens a connection of its own; the one of the parent goes on."""
    before = count_june(sentinel2)

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        counted = pool.map(count_june, [sentinel2])

    assert [before, *counted, count_june(sentinel2)] == [9, 9, 9]


@pytest.mark.usefixtures("sentinel2")
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_every_object_of_a_client_is_copied_and_pickled(ledger_url: str, again: "object") -> None:
    """The group, the dataset, and the client itself; closing the copy leaves the original alone."""
    assert callable(again)
    client = Client(ledger_url)
    dataset = client.dataset(SENTINEL2)

    other = again(client)

    assert count_june(again(dataset).collection("S2B_S2MSI2A")) == 9
    assert count_june(again(client.datasets()).open_data.copernicus.sentinel2_msi.collection("S2B_S2MSI2A")) == 9
    assert count_june(other.dataset(SENTINEL2).collection("S2B_S2MSI2A")) == 9
    other.close()
    assert count_june(dataset.collection("S2B_S2MSI2A")) == 9
    client.close()


@pytest.mark.usefixtures("sentinel2")
def test_asynchronous_objects_are_pickled(ledger_url: str) -> None:
    """As the synchronous ones."""

    async def fetch() -> int:
        client = aio.Client(ledger_url)
        await client.datasets()
        dataset = await pickle.loads(pickle.dumps(client)).dataset(SENTINEL2)
        data = await pickle.loads(pickle.dumps(dataset.collection("S2B_S2MSI2A"))).load(JUNE)
        await client.close()
        return int(data.sizes["time"])

    assert asyncio.run(fetch()) == 9


def test_a_copy_shows_no_password() -> None:
    """The pickle has to hold it, in order to log in; nothing prints it."""
    client = Client("postgresql://me:s3cr3t@example.org/mine")

    copied = pickle.loads(pickle.dumps(client))

    assert repr(copied) == repr(client)
    assert "s3cr3t" not in repr(copied) + repr(vars(copied))
