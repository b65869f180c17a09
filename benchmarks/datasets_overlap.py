"""Loads of the asynchronous client over a slow network: four together beside one alone."""

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

from benchmarks.datasets_loads import SLUG
from benchmarks.slow_network import slow_network
from tilebox_celery.datasets.aio import Client

if TYPE_CHECKING:
    from benchmarks.report import Report
    from benchmarks.stack import Servers
    from tilebox_celery.datasets.aio import TimeseriesCollection

DELAY = 0.05
LAPS = 5
DAYS = [(f"2020-06-0{day}", f"2020-06-0{day + 1}") for day in range(1, 5)]


def measure_overlap(servers: "Servers", report: "Report") -> None:
    """Compare one load of a day with four of four days, by a client that has connections, and by a new one.

    Raises:
        AssertionError: A load is empty.
    """
    with slow_network(servers.ledger_url, DELAY) as url:
        for kind, measure in (("connected", _connected), ("new", _new)):
            laps = asyncio.run(measure(url))
            one, four = (statistics.median(laps[count]) for count in (1, 4))
            report.note(f"  {kind} client, {DELAY * 1000:.0f} ms more a round trip: {one:.3f} s, four {four:.3f} s")
            report.add("datasets", **{f"overlap_{kind}_seconds": laps})
            report.bar("datasets", f"four loads at once / one, {kind} client", four / one, "x", at_most=1.5)


async def _connected(url: str) -> dict[int, list[float]]:
    client = Client(url)
    collection = (await client.dataset(SLUG)).collection("S1")
    await _load(collection, 4)
    laps: dict[int, list[float]] = {1: [], 4: []}
    for _ in range(LAPS):
        for count, seconds in laps.items():
            begun = time.perf_counter()
            await _load(collection, count)
            seconds.append(time.perf_counter() - begun)
    await client.close()
    return laps


async def _new(url: str) -> dict[int, list[float]]:
    laps: dict[int, list[float]] = {1: [], 4: []}
    for _ in range(LAPS):
        for count, seconds in laps.items():
            begun = time.perf_counter()
            client = Client(url)
            await _load((await client.dataset(SLUG)).collection("S1"), count)
            seconds.append(time.perf_counter() - begun)
            await client.close()
    return laps


async def _load(collection: "TimeseriesCollection", count: int) -> None:
    found = await asyncio.gather(*(collection.load(day) for day in DAYS[:count]))
    assert all(each.sizes["time"] for each in found)
