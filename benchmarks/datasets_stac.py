"""Ingest STAC items from a file into datasets of the catalog, as ``tilebox-celery dataset ingest`` does."""

import json
import statistics
import tempfile
import time
from datetime import datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.workers import ROOT
from tilebox_celery.datasets import Client
from tilebox_celery.datasets.sync.open_data import create_open_dataset, read_open_tables

if TYPE_CHECKING:
    from benchmarks.report import Report
    from benchmarks.stack import Servers

DATA = ROOT / "tests" / "data" / "stac"
SOURCES = {
    "open_data.copernicus.sentinel1_sar": ("sentinel-1-rtc.json",),
    "open_data.copernicus.sentinel2_msi": (
        "sentinel-2-l2a-africa-2020-06-06.json",
        "sentinel-2-l2a-35MNM-2020-jun-jul.json",
    ),
}
"""Real items by their dataset."""
STEP = timedelta(seconds=37)


def measure_stac(servers: "Servers", report: "Report", runs: int, items: int) -> None:
    """Read a file of one item a line and store its datapoints with all assets, into empty collections each time.

    Raises:
        AssertionError: Not every item became a datapoint.
    """
    client = Client(servers.ledger_url)
    for slug, files in SOURCES.items():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "items.ndjson"
            count = _write_items(file, files, items)
            each = file.stat().st_size / count
            laps = [_ingest(client, slug, file, count) for _ in range(runs)]
        name = slug.rpartition(".")[2]
        middle = statistics.median(laps)
        report.note(f"  {name}: {count:,} items of {each / 1000:.1f} kB, {count * each / middle / 1e6:.0f} MB/s")
        report.add("datasets", **{f"{name}_item_bytes": each, f"{name}_seconds": laps})
        report.bar("datasets", f"STAC items, {name}", count / middle, "/s", at_least=5_000)
    client.close()


def _ingest(client: Client, slug: str, file: Path, count: int) -> float:
    dataset = create_open_dataset(client, slug)
    for collection in dataset.collections():
        dataset.delete_collection(collection)
    begun = time.perf_counter()
    tables = read_open_tables(slug, file)
    stored = sum(len(dataset.get_or_create_collection(name).ingest(table)) for name, table in tables.items())
    seconds = time.perf_counter() - begun
    assert stored == sum(each.info().count or 0 for each in dataset.collections().values()) == count
    return seconds


def _write_items(file: Path, names: tuple[str, ...], count: int) -> int:
    """Write the items again and again, at least once, each time later, also in their ids, names and hrefs."""
    features = [item for name in names for item in json.loads((DATA / name).read_text())["features"]]
    real = list({item["id"]: item for item in features}.values())  # one is in both files
    count = max(count, len(real))
    with file.open("w") as lines:
        for number, item in enumerate(islice(cycle(real), count)):
            seen = datetime.fromisoformat(item["properties"]["datetime"])
            later = seen + STEP * (number // len(real))
            text = json.dumps(item, separators=(",", ":"))
            for form in ("%Y%m%dT%H%M%S", "%Y-%m-%dT%H:%M:%S"):
                text = text.replace(seen.strftime(form), later.strftime(form))
            lines.write(text + "\n")
    return count
