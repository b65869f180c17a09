"""Run the benchmarks: ``python -m benchmarks [--runs 5] [--only W1,W2,history] [--json FILE]``."""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import machine
from benchmarks.report import Report
from benchmarks.stack import Servers, servers
from benchmarks.workers import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

CANVAS = ("W1", "W2", "W3", "W4")
NAMES = (*CANVAS, "W5", "history", "prune", "big", "fairness", "events", "disk", "datasets")
MILLION = 1_000_000


def main() -> int:
    """Run what was asked for and print ratios."""
    options = _options()
    report = Report()
    facts = machine()
    report.add("machine", **facts)
    report.note(
        f"machine: {facts['cores']} cores ({facts['cpu']}), {facts['memory_gib']} GiB, {facts['system']}, "
        f"Python {facts['python']}, load {facts['load']}; workers write to {LOG}"
    )
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_bytes(b"")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=LOG.parent) as folder, servers(Path(folder) / "home") as running:
        os.environ.update(running.environment)  # before the app of the plain Celery tasks is made
        _run(running, report, options.only, options.runs, options.scale)
    report.note(f"\n{time.monotonic() - began:.0f} s, load now {machine()['load']}")
    code = report.end()
    if options.json:
        options.json.write_text(json.dumps(report.figures, indent=2) + "\n")
    return code


def _run(running: Servers, report: Report, only: list[str], runs: int, scale: float) -> None:
    from benchmarks.big_job import measure_big_job
    from benchmarks.comparison import compare_all
    from benchmarks.datasets import ROWS, measure_datasets
    from benchmarks.events import measure_events
    from benchmarks.fairness import measure_fairness
    from benchmarks.history import measure_history
    from benchmarks.latency import measure_latency
    from benchmarks.slow_disk import measure_slow_disk

    compare_all(running, report, runs, only, scale)
    few = max(1, (runs + 1) // 2)  # of what takes long
    others: dict[str, Callable[[], None]] = {
        "W5": lambda: measure_latency(running, report),
        "big": lambda: measure_big_job(running, report, int(100_000 * scale)),
        "fairness": lambda: measure_fairness(running, report, few, int(100_000 * scale)),
        "events": lambda: measure_events(running, report, runs),
        "disk": lambda: measure_slow_disk(running, report, runs),
        "datasets": lambda: measure_datasets(running, report, few, int(ROWS * scale)),
        "history": lambda: measure_history(running, report, runs, int(MILLION * scale), only),
    }
    if "prune" in only and "history" not in only:
        only = [*only, "history"]  # there must be something to prune
    for name, run in others.items():
        if name in only:
            try:
                run()
            except Exception as error:  # the others shall run all the same
                report.failed(name, error)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure against plain Celery canvas.")
    parser.add_argument("--runs", type=int, default=5, help="runs of each workload; the median counts")
    parser.add_argument("--only", type=_names, default=list(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="size of graphs, big job and history; 1 is what the bars mean"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    known = {name.lower(): name for name in NAMES}
    unknown = [name for name in text.split(",") if name.lower() not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return [known[name.lower()] for name in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
