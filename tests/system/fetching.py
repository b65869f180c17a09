"""A worker for tasks that load datasets with asyncio, as the documents do: ``python fetching.py --pool threads``."""

import argparse
import asyncio
import os

import xarray as xr
from workflow import leave

from tilebox_celery.datasets.aio import Client
from tilebox_celery.datasets.query import TimeIntervalLike
from tilebox_celery.workflows import Client as WorkflowsClient
from tilebox_celery.workflows import ExecutionContext, Task

SENTINEL2 = "open_data.copernicus.sentinel2_msi"
WEEKS = [("2020-06-01", "2020-06-15"), ("2020-06-15", "2020-07-01"), ("2020-07-01", "2020-08-01")]

shared = Client()


class FetchData(Task):
    """The example of the documents: three loads at once, each with a client of its own that nobody closes."""

    def execute(self, context: ExecutionContext) -> None:
        parts = asyncio.run(load_all())
        leave(f"fetched {[part.sizes.get('time', 0) for part in parts]} {os.getpid()}")


async def load_data(interval: TimeIntervalLike) -> xr.Dataset:
    client = Client()
    datasets = await client.datasets()
    collections = await datasets.open_data.copernicus.sentinel2_msi.collections()
    return await collections["S2A_S2MSI2A"].load(interval)


async def load_all() -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    return await asyncio.gather(*(load_data(week) for week in WEEKS))


class FetchCollections(Task):
    """All collections at once, by a client of the module that was in use before the fork, and in other event loops."""

    def execute(self, context: ExecutionContext) -> None:
        parts = asyncio.run(self.fetch())
        leave(f"collections {[part.sizes.get('time', 0) for part in parts]} {os.getpid()}")

    async def fetch(self) -> list[xr.Dataset]:
        return await load_collections()


async def load_collections() -> list[xr.Dataset]:
    collections = await (await shared.dataset(SENTINEL2)).collections()
    return await asyncio.gather(*(each.load(("2020-06-01", "2020-08-01")) for each in collections.values()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pool", default="prefork")
    options = parser.parse_args()
    parts = asyncio.run(load_collections())
    leave(f"parent {[part.sizes.get('time', 0) for part in parts]} {os.getpid()}")
    runner = WorkflowsClient().runner(tasks=[FetchData, FetchCollections])
    runner.run_forever(pool=options.pool, concurrency=1 if options.pool == "solo" else 2)


if __name__ == "__main__":
    main()
