"""Datasets: ingest, and loads beside the same Arrow data turned into xarray in memory, and beside plain rows."""

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import create_engine, text

from benchmarks.measure import peak_rss_bytes
from benchmarks.sentinel1 import FIRST_MS, SIX_YEARS_MS, bytes_of, incoming, schema
from benchmarks.workers import ROOT
from tilebox_celery.datasets import Client, field
from tilebox_celery.datasets.identifiers import datapoint_ids
from tilebox_celery.datasets.store.pages import join
from tilebox_celery.datasets.store.selection import rows_of
from tilebox_celery.datasets.xarray_layout import to_xarray

if TYPE_CHECKING:
    from benchmarks.report import Report
    from benchmarks.stack import Servers
    from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection

ROWS = 1_109_597
"""Of the documents' example."""
SAMPLE = 20_000
"""Rows that the slow way loads; its time is scaled."""
ALL = ("2017-01-01", "2023-01-01")
DAY = ("2020-06-01", "2020-06-02")
SLUG = "bench.sentinel1"


def measure_datasets(servers: "Servers", report: "Report", runs: int, rows: int) -> None:
    """Ingest datapoints of the documents' shape and load them in all ways, in turn.

    Raises:
        AssertionError: A load does not hold all datapoints.
    """
    report.note(f"\ndatasets: {rows:,} datapoints of 28 fields")
    client = Client(servers.ledger_url)
    dataset = client.create_or_update_dataset(schema().kind, SLUG, schema().fields)
    collection = dataset.create_collection("S1")
    table = incoming(rows)
    begun = time.perf_counter()
    collection.ingest(table)
    report.bar("datasets", "ingest into indexed rows", rows / (time.perf_counter() - begun), "/s", at_least=40_000)
    report.note(f"  the first load, from rows, seals segments: {_seconds(lambda: collection.load(ALL)):.2f} s")
    with _stored(client, collection, rows) as arrow_file:
        _loads(report, collection, arrow_file, runs, rows)
        _memory(servers, report, arrow_file, rows)
    _small(report, collection)
    _sqlalchemy(servers, report, collection, rows)
    client.close()


def _loads(report: "Report", collection: "TimeseriesCollection", arrow_file: Path, runs: int, rows: int) -> None:
    in_memory = _read(arrow_file)
    ways: dict[str, Callable[[], Any]] = {
        "floor": lambda: to_xarray(in_memory, schema()),
        "load": lambda: collection.load(ALL),
        "rows": lambda: collection.query(temporal_extent=ALL, filter=field("file_size") >= 0),
        "skip_data": lambda: collection.load(ALL, skip_data=True),
    }
    laps: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            found: list[Any] = []
            laps[name].append(_seconds(lambda way=way, found=found: found.append(way())))  # type: ignore[misc]  # bound now
            assert found[0].sizes["time"] == rows, f"{name} gave {found[0].sizes['time']} of {rows} datapoints"
            if name == "load" and not report.figures.get("datasets"):
                report.add("datasets", bytes=bytes_of(found[0]))
            del found
            gc.collect()
    middle = {name: statistics.median(values) for name, values in laps.items()}
    report.add("datasets", rows=rows, seconds=laps)
    for name, seconds in middle.items():
        report.note(f"  {name:10} {seconds:7.2f} s, {rows / seconds:12,.0f} datapoints/s")
    report.bar("datasets", "load / the same Arrow data in memory", middle["load"] / middle["floor"], "x", at_most=1.6)
    report.bar("datasets", "load", rows / middle["load"], "/s", at_least=400_000)
    report.bar("datasets", "load with skip_data", rows / middle["skip_data"], "/s", at_least=5_000_000)
    report.note(f"  rows by ADBC / load: {middle['rows'] / middle['load']:.1f}x")


def _small(report: "Report", collection: "TimeseriesCollection") -> None:
    one = str(collection.load(DAY, skip_data=True)["id"].to_numpy()[0])
    for what, call, most in (
        ("one day of six years, p50", lambda: collection.load(DAY), 15),
        ("find, p50", lambda: collection.find(one), 5),
        ("info, p50", collection.info, 5),
    ):
        laps = [_seconds(call) for _ in range(30)]
        report.bar("datasets", what, statistics.median(laps) * 1000, "ms", at_most=most)


def _sqlalchemy(servers: "Servers", report: "Report", collection: "TimeseriesCollection", rows: int) -> None:
    engine = create_engine(servers.ledger_url.replace("postgresql://", "postgresql+psycopg://", 1))
    sample = min(SAMPLE, rows)
    query = text(f"select * from {rows_of(collection.record.dataset)} order by time limit {sample}")

    def fetch() -> None:
        with engine.connect() as connection:
            found = connection.execute(query).fetchall()
        columns = list(zip(*found, strict=True))
        assert len(columns[0]) == sample

    seconds = _seconds(fetch) * rows / sample
    engine.dispose()
    report.note(f"  SQLAlchemy rows to columns alone, {sample:,} scaled: {seconds:.1f} s")
    report.add("datasets", sqlalchemy_seconds=seconds)


@contextmanager
def _stored(client: Client, collection: "TimeseriesCollection", rows: int) -> Iterator[Path]:
    """Write the canonical Arrow table of a collection to a file, for processes that need it in memory."""
    pages = client._store.load([collection.record], FIRST_MS, FIRST_MS + SIX_YEARS_MS + 1)
    table = join([page.table for page in pages])
    assert table.num_rows == rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        del table
        yield path


def _memory(servers: "Servers", report: "Report", arrow_file: Path, rows: int) -> None:
    """Compare how much processes grow that load, and that read the Arrow data and turn them into xarray."""
    grown = {}
    for way, place in (("floor", str(arrow_file)), ("load", servers.ledger_url)):
        command = [sys.executable, "-m", "benchmarks.datasets", way, place]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=600)
        grown[way] = float(done.stdout) / 2**20
    report.note(f"  growth: load {grown['load']:,.0f} MB; Arrow data and their xarray {grown['floor']:,.0f} MB")
    report.add("datasets", grown_mb=grown)
    report.bar("datasets", "growth of a process / floor's", grown["load"] / max(grown["floor"], 1.0), "x", at_most=1.3)


def _child(way: str, place: str) -> None:
    """Print by how many bytes the peak of this process rises."""
    few = incoming(10)  # what is imported on the way is not counted
    few = few.add_column(1, "id", datapoint_ids(few, b""))
    to_xarray(few.add_column(2, "ingestion_time", pa.array([0] * 10, pa.timestamp("us"))), schema())
    before = peak_rss_bytes(os.getpid())
    if way == "floor":
        data = to_xarray(_read(Path(place)), schema())
    else:
        client = Client(place)
        data = client.dataset(SLUG).collection("S1").load(ALL)
        client.close()
    assert data.sizes["time"] > 0
    print(peak_rss_bytes(os.getpid()) - before)


def _read(arrow_file: Path) -> pa.Table:
    with pa.OSFile(str(arrow_file), "rb") as source:
        return pa.ipc.open_file(source).read_all()


def _seconds(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


if __name__ == "__main__":
    _child(*sys.argv[1:])
