"""Say what came of a run of the demo: in words, pictures and a table, or as JSON."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tilebox_celery.demo.classes import ColourClass
from tilebox_celery.demo.picture import class_colours, scene_colours
from tilebox_celery.demo.preview import half_blocks
from tilebox_celery.demo.results import CLASSES, FILES, MOSAIC, PICTURE, REPORT
from tilebox_celery.demo.run import Outcome
from tilebox_celery.demo.scene import BANDS, Pixels
from tilebox_celery.demo.screen import has_colours
from tilebox_celery.demo.workers import Worker

_PICTURE_COLUMNS = 60


def print_summary(console: Console, outcome: Outcome, *, killed: bool, program: str) -> None:
    """Print the end of the story for people."""
    folder = outcome.folder
    if has_colours(console) and (folder / MOSAIC).exists() and (folder / CLASSES).exists():
        console.print(_pictures(folder, min(_PICTURE_COLUMNS, (console.width - 1) // 2)), "")
    if (folder / REPORT).exists():
        console.print(_table(json.loads((folder / REPORT).read_bytes())), "")
    for problem in outcome.problems:
        console.print(f"✗ {problem}", style="red", markup=False, highlight=False)
    if not outcome.problems:
        _print_good_news(console, outcome, killed=killed)
    _print_places(console, outcome, program)


def as_json(outcome: Outcome, workers: list[Worker]) -> str:
    """Return the end of the story for programs."""
    path = outcome.folder / REPORT
    report: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    snapshot = outcome.snapshot
    document = {
        "job": str(outcome.job.id),
        "state": snapshot.state,
        "seconds": round(outcome.seconds, 3),
        "tasks": {
            "total": len(snapshot.tasks),
            "retried": len(snapshot.failed_attempts),
            "repeated": len(snapshot.repeated),
            "lost": len(snapshot.uncomputed),
        },
        "identical": outcome.is_identical,
        "problems": outcome.problems,
        "files": {name: str(outcome.folder / name) for name in FILES if (outcome.folder / name).exists()},
        "workers": [
            {"number": each.number, "pid": each.pid, "killed": each.is_killed, "exit_code": each.exit_code}
            for each in workers
        ],
        **{name: report.get(name) for name in ("classes", "band_means", "sha256")},
    }
    return json.dumps(document, indent=2)


def _pictures(folder: Path, columns: int) -> Table:
    pictures = Table.grid(padding=(0, 1, 0, 0))
    mosaic, classes = _read(folder / MOSAIC), _read(folder / CLASSES)[0]
    pictures.add_row(Text("mosaic of four quadrants", "bold"), Text("colour classes", "bold"))
    pictures.add_row(half_blocks(scene_colours(mosaic), columns - 1), half_blocks(class_colours(classes), columns - 1))
    return pictures


def _table(report: dict[str, Any]) -> Table:
    table = Table(title=None, header_style="bold", pad_edge=False, box=None, padding=(0, 3, 0, 0))
    table.add_column("colour class")
    for name in ("pixels", "km²", "share"):
        table.add_column(name, justify="right")
    table.add_column("band")
    table.add_column("mean", justify="right")
    classes = report["classes"]
    valid = sum(classes[each.label]["pixels"] for each in ColourClass if each is not ColourClass.NODATA)
    bands = iter(BANDS)
    for each in (ColourClass.BRIGHT, ColourClass.BLUE, ColourClass.OTHER, ColourClass.NODATA):
        found, band = classes[each.label], next(bands, None)
        red, green, blue = each.colour
        table.add_row(
            Text("■ ", f"rgb({red},{green},{blue})").append(each.label, "default"),
            f"{found['pixels']:,}",
            f"{found['km2']:,.0f}",
            "" if each is ColourClass.NODATA else f"{found['pixels'] / valid:.1%}",
            band or "",
            f"{report['band_means'][band]:.1f}" if band else "",
        )
    return table


def _print_good_news(console: Console, outcome: Outcome, *, killed: bool) -> None:
    snapshot = outcome.snapshot
    lines = [f"{len(snapshot.tasks)} tasks computed in {outcome.seconds:.1f} s; {_flaky(outcome)}"]
    if killed:
        count, names = len(snapshot.repeated), ", ".join(task.display for task in snapshot.repeated)
        tasks = "task" if count == 1 else "tasks"
        lines.append(f"{count} {tasks} repeated, {len(snapshot.uncomputed)} lost; killed and run again: {names}")
    lines.append("same picture, byte for byte, as one process computes it without workers")
    for line in lines:
        console.print(Text("✓ ", "green").append(line, "default"))


def _flaky(outcome: Outcome) -> str:
    task = outcome.snapshot.failed_attempts[0]
    return f"{task.display} failed once, on purpose, and ran again"


def _print_places(console: Console, outcome: Outcome, program: str) -> None:
    def line(name: str, text: str) -> None:
        console.print(Text(f"{name:<9}", "bold").append(text, "default"), soft_wrap=True)

    console.print()
    folder = outcome.folder
    if (folder / PICTURE).exists():
        line("picture", str(folder / PICTURE))
        line("others", f"{', '.join(name for name in FILES if name != PICTURE)} beside it")
    line("job", f"{program} job get {outcome.job.id}")
    line("tasks", f"{program} job tasks {outcome.job.id}")


def _read(path: Path) -> Pixels:
    with rasterio.open(BytesIO(path.read_bytes())) as file:
        pixels: Pixels = np.asarray(file.read())
    return pixels
