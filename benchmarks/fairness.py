"""Fairness: ten no-ops submitted beside a job of 100,000 tasks are done soon, and the big job hardly notices."""

import statistics
import time
from typing import TYPE_CHECKING

from benchmarks.big_job import LONGEST, submit_elsewhere
from benchmarks.tasks import Leaf
from benchmarks.workers import ledger_worker

if TYPE_CHECKING:
    from benchmarks.report import Report
    from benchmarks.stack import Servers

SMALL = 10
PAUSE = 0.1
LEAST_RUNS = 11
"""Every ten seconds autovacuum works, and a run that meets it takes a fifth longer: of few runs the median is luck."""


def measure_fairness(servers: "Servers", report: "Report", runs: int, count: int) -> None:
    """Run a big job alone and beside small ones, in turn."""
    report.note(f"\nfairness: {SMALL} jobs of one no-op each, submitted while a job of {count:,} tasks runs")
    alone: list[float] = []
    beside: list[float] = []
    small: list[float] = []
    with ledger_worker(servers):
        _run_big(servers, count // 10, 0, [])
        for number in range(max(runs, LEAST_RUNS)):
            for is_alone in (True, False) if number % 2 == 0 else (False, True):  # what drifts meets both alike
                seconds = _run_big(servers, count, 0 if is_alone else SMALL, small)
                (alone if is_alone else beside).append(seconds)
    slower = statistics.median(beside) / statistics.median(alone)
    p95 = sorted(small)[int(len(small) * 0.95)]
    report.note(
        f"  big job alone {statistics.median(alone):.2f} s, beside small ones {statistics.median(beside):.2f} s; "
        f"small ones p50 {statistics.median(small) * 1e3:.0f} ms"
    )
    report.add("fairness", alone_seconds=alone, beside_seconds=beside, small_seconds=small)
    report.bar("fairness", "small jobs done, p95", p95, "s", at_most=1)
    report.bar("fairness", "big job with small ones / alone", slower, "x", at_most=1.1)


def _run_big(servers: "Servers", count: int, small: int, done: list[float]) -> float:
    """Run a big job and return its seconds after its submission; add the seconds of small ones beside it."""
    jobs = servers.client().jobs()
    big = submit_elsewhere(servers, count)
    beside = []
    for _ in range(small):
        beside.append((time.time(), jobs.submit("small", Leaf(0))))
        time.sleep(PAUSE)
    found = jobs.wait(big.job, LONGEST)
    assert found.finished_at is not None, f"the big job is {found.state}"
    for begun, job in beside:
        ended = jobs.wait(job, LONGEST)
        assert ended.finished_at is not None, f"a small job is {ended.state}"
        done.append(ended.finished_at.timestamp() - begun)
    return found.finished_at.timestamp() - big.begun - big.seconds
