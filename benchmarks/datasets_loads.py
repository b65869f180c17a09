"""Load all datapoints in every way, in turn: ours, the same Arrow data in memory, and what else people would use."""

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from benchmarks.datasets_peers import adbc_way, check_same, duckdb_way, sqlalchemy_way, write_geoparquet
from benchmarks.sentinel1 import FIRST_MS, SIX_YEARS_MS, bytes_of, schema
from tilebox_celery.datasets import Client, field
from tilebox_celery.datasets.store.pages import join
from tilebox_celery.datasets.xarray_layout import to_xarray

if TYPE_CHECKING:
    import xarray as xr

    from benchmarks.report import Report
    from benchmarks.stack import Servers
    from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection

SLUG = "bench.sentinel1"
ALL = ("2017-01-01", "2023-01-01")
DAY = ("2020-06-01", "2020-06-02")
SAMPLE = 20_000
"""Rows that the slow way loads; its time is scaled."""
PEERS = {"sqlalchemy": "SQLAlchemy rows", "adbc": "ADBC", "duckdb": "DuckDB, GeoParquet"}


@dataclass(frozen=True)
class _Way:
    """One way to all datapoints, or to the first of them."""

    run: Callable[[], "xr.Dataset"]
    rows: int
    layout: bool = True
    """Whether it gives all fields."""


def compare_loads(
    servers: "Servers", report: "Report", collection: "TimeseriesCollection", stored: pa.Table, runs: int
) -> None:
    """Run all ways in turn, check that all give the same, and print their ratios.

    Args:
        servers: Hold the datapoints.
        report: Gets the figures.
        collection: The datapoints.
        stored: The same as canonical Arrow data, in memory.
        runs: Of each way; the median counts.

    Raises:
        AssertionError: A way gives something else than the others.
    """
    rows = stored.num_rows
    sample = min(SAMPLE, rows)
    with tempfile.TemporaryDirectory() as folder:
        parquet = write_geoparquet(stored, Path(folder) / "items.parquet")
        report.note(f"  GeoParquet (zstd): {parquet.stat().st_size / 2**20:,.0f} MiB")
        ways = {
            "floor": _Way(lambda: to_xarray(stored, schema()), rows),
            "load": _Way(lambda: collection.load(ALL), rows),
            "rows": _Way(lambda: collection.query(temporal_extent=ALL, filter=field("file_size") >= 0), rows),
            "skip_data": _Way(lambda: collection.load(ALL, skip_data=True), rows, layout=False),
            "adbc": _Way(adbc_way(servers.ledger_url, collection.record.dataset), rows),
            "duckdb": _Way(duckdb_way(parquet), rows),
            "sqlalchemy": _Way(sqlalchemy_way(servers.ledger_url, collection.record.dataset, sample), sample),
        }
        laps = _laps(report, ways, stored, runs)
    # Scaled to all rows where a way loads a part.
    middle = {name: statistics.median(each) * rows / ways[name].rows for name, each in laps.items()}
    report.add("datasets", rows=rows, seconds=laps, loads={name: round(each, 4) for name, each in middle.items()})
    for name, each in middle.items():
        scaled = "" if ways[name].rows == rows else f" ({ways[name].rows:,} rows, scaled)"
        report.note(f"  {name:10} {each:7.2f} s, {rows / each:12,.0f} datapoints/s{scaled}")
    report.bar("datasets", "load / the same Arrow data in memory", middle["load"] / middle["floor"], "x", at_most=1.6)
    report.bar("datasets", "load", rows / middle["load"], "/s", at_least=400_000)
    report.bar("datasets", "load with skip_data", rows / middle["skip_data"], "/s", at_least=5_000_000)
    report.note(f"  our own load from rows, without segments / load: {middle['rows'] / middle['load']:.1f}x")
    for name, title in PEERS.items():
        report.note(f"  {title} to the same xarray / load: {middle[name] / middle['load']:.1f}x")


def arrow_table(client: Client, collection: "TimeseriesCollection", rows: int) -> pa.Table:
    """Return all datapoints of a collection as a load has them before it turns them into xarray."""
    pages = client._store.load([collection.record], FIRST_MS, FIRST_MS + SIX_YEARS_MS + 1)
    table = join([page.table for page in pages])
    assert table.num_rows == rows, f"there are {table.num_rows} of {rows} datapoints"
    return table.unify_dictionaries().combine_chunks()


def seconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _laps(report: "Report", ways: dict[str, _Way], stored: pa.Table, runs: int) -> dict[str, list[float]]:
    laps: dict[str, list[float]] = {name: [] for name in ways}
    for lap in range(runs):
        for name, way in ways.items():
            begun = time.perf_counter()
            found = way.run()
            laps[name].append(time.perf_counter() - begun)
            assert found.sizes["time"] == way.rows, f"{name} gave {found.sizes['time']} of {way.rows} datapoints"
            if lap == 0 and way.layout:
                check_same(name, found, to_xarray(stored.slice(0, way.rows), schema()))
            if name == "load":
                report.add("datasets", bytes=bytes_of(found))
            del found
            gc.collect()
    return laps
