"""Datasets: ingest, loads beside other ways to the same xarray, memory, STAC items, and loads that overlap."""

import statistics
import time
from typing import TYPE_CHECKING

from benchmarks.datasets_loads import ALL, DAY, SLUG, arrow_table, compare_loads, seconds
from benchmarks.datasets_memory import compare_memory
from benchmarks.datasets_overlap import measure_overlap
from benchmarks.datasets_stac import measure_stac
from benchmarks.sentinel1 import incoming, schema
from tilebox_celery.datasets import Client

if TYPE_CHECKING:
    from benchmarks.report import Report
    from benchmarks.stack import Servers
    from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection

ROWS = 1_109_597
"""Of the documents' example."""
STAC_ITEMS = 10_000
FEWEST_ITEMS = 2_000
"""Fewer say nothing: they are stored as fast as the statements around them."""


def measure_datasets(servers: "Servers", report: "Report", runs: int, rows: int) -> None:
    """Ingest datapoints of the documents' shape and load them in all ways, in turn.

    Raises:
        AssertionError: A load does not hold all datapoints, or is not what another way gives.
    """
    report.note(f"\ndatasets: {rows:,} datapoints of 28 fields")
    client = Client(servers.ledger_url)
    dataset = client.create_or_update_dataset(schema().kind, SLUG, schema().fields)
    collection = dataset.create_collection("S1")
    table = incoming(rows)
    begun = time.perf_counter()
    collection.ingest(table)
    report.bar("datasets", "ingest into indexed rows", rows / (time.perf_counter() - begun), "/s", at_least=40_000)
    del table
    report.note(f"  the first load, from rows, seals segments: {seconds(lambda: collection.load(ALL)):.2f} s")
    stored = arrow_table(client, collection, rows)
    compare_loads(servers, report, collection, stored, runs)
    compare_memory(servers, report, stored)
    del stored
    _small(report, collection)
    measure_overlap(servers, report)
    measure_stac(servers, report, runs, max(FEWEST_ITEMS, round(STAC_ITEMS * rows / ROWS)))
    client.close()


def _small(report: "Report", collection: "TimeseriesCollection") -> None:
    one = str(collection.load(DAY, skip_data=True)["id"].to_numpy()[0])
    for what, call, most in (
        ("one day of six years, p50", lambda: collection.load(DAY), 15),
        ("find, p50", lambda: collection.find(one), 5),
        ("info, p50", collection.info, 5),
    ):
        laps = [seconds(call) for _ in range(30)]
        report.bar("datasets", what, statistics.median(laps) * 1000, "ms", at_most=most)
