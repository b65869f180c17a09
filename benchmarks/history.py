"""History: W1 on a ledger with a million finished tasks beside W1 on an empty one; then W1 while they are pruned."""

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.engines import run_ours, workloads
from benchmarks.measure import Lap, measure, median_seconds
from benchmarks.workers import ROOT, ledger_worker

if TYPE_CHECKING:
    from collections.abc import Collection

    from benchmarks.report import Report
    from benchmarks.stack import Servers
    from tilebox_celery.postgres.connection import Connection

JOB_TASKS = 10_000
FILL = Path(__file__).with_name("history.sql").read_bytes()


def measure_history(servers: "Servers", report: "Report", runs: int, finished: int, only: "Collection[str]") -> None:
    """Fill a second ledger with history and run W1 on it, on an empty one, and while the history is pruned."""
    report.note(f"\nhistory: {finished:,} finished tasks in the ledger")
    old = servers.another_ledger("history")
    workload = workloads()[0]
    empty, full, pruning = [], [], []
    with ledger_worker(servers) as one, ledger_worker(old) as other:

        def lap(where: "Servers") -> Lap:
            worker = one if where is servers else other
            parties = {"workers": worker, "postgres": servers.postgres, "valkey": servers.valkey}
            return measure(lambda: run_ours(where, workload.ours(), workload.our_tasks), parties)

        lap(servers)
        lap(old)
        begun = time.perf_counter()
        with old.connect() as connection:
            rows = fill(connection, finished)
        report.note(f"  {rows:,} tasks with attempts and groups written in {time.perf_counter() - begun:.0f} s")
        lap(old)
        for _ in range(runs):
            empty.append(lap(servers))
            full.append(lap(old))
        _tell_history(report, workload.our_tasks, empty, full)
        if "prune" in only:
            pruner, begun = _start_pruning(old), time.perf_counter()
            try:
                while pruner.poll() is None:
                    pruning.append(lap(old))
                took = time.perf_counter() - begun
            finally:
                pruner.kill()
                pruner.wait(10)
            _tell_prune(report, finished, took, full, pruning)


def fill(connection: "Connection", finished: int) -> int:
    """Insert finished jobs of 10,000 tasks each, and give the number of finished tasks then in the ledger."""
    names = ["FanOut", "Branch", "Leaf"]
    rows = connection.execute("select name, id from tbx.routes where name = any (%s)", (names,)).fetchall()
    routes: dict[str, int] = dict(rows)
    connection.execute("set synchronous_commit = off")
    for first in range(1, finished // JOB_TASKS + 1, 10):
        last = min(first + 9, finished // JOB_TASKS)
        connection.execute(FILL, {"first": first, "last": last, "routes": [routes[name] for name in names]})
    connection.execute(
        "vacuum (analyze) tbx.tasks, tbx.attempts, tbx.task_groups, tbx.jobs, tbx.job_counts, tbx.actions"
    )
    connection.execute("checkpoint")
    row = connection.execute("select count(*) from tbx.tasks where state = 'COMPUTED'").fetchone()
    assert row is not None, "an aggregate gives a row"
    return int(row[0])


def _start_pruning(old: "Servers") -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tilebox_celery.cli.main", "db", "prune", "--before", "1d", "--yes"]
    return subprocess.Popen(command, cwd=ROOT, env=old.full_environment, stdout=subprocess.DEVNULL)


def _tell_history(report: "Report", tasks: int, empty: "list[Lap]", full: "list[Lap]") -> None:
    few, many = median_seconds(empty), median_seconds(full)
    few_cpu, many_cpu = (statistics.median(lap.cpu_seconds for lap in laps) / tasks * 1e6 for laps in (empty, full))
    report.note(
        f"  W1 on an empty ledger {few:.3f} s, CPU {few_cpu:.0f} us a task; "
        f"with history {many:.3f} s, {many_cpu:.0f} us"
    )
    report.add("history", empty_seconds=few, full_seconds=many, empty_cpu_us=few_cpu, full_cpu_us=many_cpu)
    report.bar("history", "W1 with history / without", many / few, "x", at_most=1.2)


def _tell_prune(report: "Report", finished: int, took: float, before: "list[Lap]", meanwhile: "list[Lap]") -> None:
    whole = meanwhile[:-1] or meanwhile  # the last one ran on after the end of the pruning
    report.note(f"  prune: {finished:,} tasks in {took:.1f} s beside {len(meanwhile)} times W1")
    report.add("prune", seconds=took, laps=[lap.seconds for lap in meanwhile])
    report.bar("prune", "W1 while pruning / before", median_seconds(whole) / median_seconds(before), "x", at_most=2.0)
