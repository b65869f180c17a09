"""How much a process grows by a load, beside one that turns the same Arrow data, read from a file, into xarray."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from benchmarks.datasets_loads import ALL, SLUG
from benchmarks.measure import peak_rss_bytes
from benchmarks.sentinel1 import incoming, schema
from benchmarks.workers import ROOT
from tilebox_celery.datasets import Client
from tilebox_celery.datasets.identifiers import datapoint_ids
from tilebox_celery.datasets.xarray_layout import to_xarray

if TYPE_CHECKING:
    from benchmarks.report import Report
    from benchmarks.stack import Servers


def compare_memory(servers: "Servers", report: "Report", stored: pa.Table) -> None:
    """Compare the peaks of two new processes.

    Args:
        servers: Hold the datapoints.
        report: Gets the figures.
        stored: All datapoints.
    """
    grown = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "all.arrow"
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, stored.schema) as writer:
            writer.write_table(stored)
        for way, place in (("floor", str(file)), ("load", servers.ledger_url)):
            command = [sys.executable, "-m", "benchmarks.datasets_memory", way, place]
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
        with pa.OSFile(place, "rb") as source:
            data = to_xarray(pa.ipc.open_file(source).read_all(), schema())
    else:
        client = Client(place)
        data = client.dataset(SLUG).collection("S1").load(ALL)
        client.close()
    assert data.sizes["time"] > 0
    print(peak_rss_bytes(os.getpid()) - before)


if __name__ == "__main__":
    _child(*sys.argv[1:])
