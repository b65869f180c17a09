"""Events: what ``-E`` costs, by CPU per task of W1 with and without it."""

import statistics
from typing import TYPE_CHECKING

from benchmarks.engines import run_ours, workloads
from benchmarks.measure import Lap, measure
from benchmarks.workers import ledger_worker

if TYPE_CHECKING:
    from benchmarks.report import Report
    from benchmarks.stack import Servers

WITH_EVENTS = "with-events"


def measure_events(servers: "Servers", report: "Report", runs: int) -> None:
    """Run W1 on a worker with events and on one without, in turn."""
    report.note("\nevents: W1 on a worker with -E and on one without")
    servers.ensure_cluster(WITH_EVENTS)
    workload = workloads()[0]
    laps: dict[bool, list[Lap]] = {False: [], True: []}
    with ledger_worker(servers) as quiet, ledger_worker(servers, "-E", cluster=WITH_EVENTS) as telling:
        for number in range(runs + 1):
            for told, worker in ((False, quiet), (True, telling)):
                parties = {"workers": worker, "postgres": servers.postgres, "valkey": servers.valkey}
                cluster = WITH_EVENTS if told else "dev-cluster"
                lap = measure(lambda c=cluster: run_ours(servers, workload.ours(), workload.our_tasks, c), parties)  # type: ignore[misc]  # the default binds the loop's value
                if number:  # the first ones are warm-up
                    laps[told].append(lap)
    cpu = {}
    for told, name in ((False, "without"), (True, "with -E")):
        each = {who: _median_us(laps[told], who, workload.our_tasks) for who in laps[told][0].cpu}
        cpu[told] = sum(each.values())
        report.note(
            f"  {name:8} {cpu[told]:6.1f} us a task ({', '.join(f'{who} {us:.1f}' for who, us in each.items())})"
        )
        report.add("events", **{name: each})
    report.bar("events", "CPU of -E per task", cpu[True] - cpu[False], "us", at_most=30)


def _median_us(laps: "list[Lap]", who: str, tasks: int) -> float:
    return statistics.median(lap.cpu[who] for lap in laps) / tasks * 1e6
