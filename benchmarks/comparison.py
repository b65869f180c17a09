"""W1 to W4: the same graphs on both engines, in turn, on the same servers."""

from collections.abc import Collection

from benchmarks.engines import Workload, run_canvas, run_ours, workloads
from benchmarks.measure import Lap, cpu_us, measure, median_seconds
from benchmarks.report import Report
from benchmarks.stack import Servers
from benchmarks.workers import canvas_worker, ledger_worker

REACH = {"W1": 25_000.0, "W3": 25_000.0}


def compare_all(servers: Servers, report: Report, runs: int, only: Collection[str], scale: float = 1.0) -> None:
    """Run W1 to W4, or those of them that are asked for."""
    for workload in workloads(leaves=int(10_000 * scale), hops=int(500 * scale), layers=int(20 * scale)):
        if workload.name in only:
            try:
                compare(servers, report, workload, runs)
            except Exception as error:  # the others shall run all the same
                report.failed(workload.name, error)


def compare(servers: Servers, report: Report, workload: Workload, runs: int) -> None:
    """Run one graph on both engines in turn, so that what drifts on the machine meets both."""
    report.note(f"\n{workload.name}: {workload.title}")
    ours: list[Lap] = []
    theirs: list[Lap] = []
    with ledger_worker(servers) as worker, canvas_worker(servers) as other:
        shared = {"postgres": servers.postgres, "valkey": servers.valkey}
        run_ours(servers, workload.ours(), workload.our_tasks)  # warm: routes known, pace learned
        for number in range(runs):
            ours.append(
                measure(lambda: run_ours(servers, workload.ours(), workload.our_tasks), {"workers": worker, **shared})
            )
            theirs.append(
                measure(lambda: run_canvas(workload.canvas(), workload.canvas_result), {"workers": other, **shared})
            )
            report.note(
                f"  run {number + 1} of {runs}: ours {ours[-1].seconds:7.3f} s, canvas {theirs[-1].seconds:7.2f} s, "
                f"{theirs[-1].seconds / ours[-1].seconds:6.1f}x; others had {ours[-1].others:.0%} and "
                f"{theirs[-1].others:.0%} of the machine"
            )
    _tell(report, workload, ours, theirs)


def _tell(report: Report, workload: Workload, ours: list[Lap], theirs: list[Lap]) -> None:
    mine, other = median_seconds(ours), median_seconds(theirs)
    our_cpu, their_cpu = cpu_us(ours, workload.our_tasks), cpu_us(theirs, workload.canvas_tasks)
    rate, per_hop = workload.our_tasks / mine, mine / workload.size
    report.add(
        workload.name,
        our_tasks=workload.our_tasks,
        canvas_tasks=workload.canvas_tasks,
        ours_seconds=[lap.seconds for lap in ours],
        canvas_seconds=[lap.seconds for lap in theirs],
        others=[lap.others for lap in (*ours, *theirs)],
        ours_cpu_us=our_cpu,
        canvas_cpu_us=their_cpu,
        ours_tasks_per_second=rate,
    )
    for name, seconds, tasks in (("ours", mine, workload.our_tasks), ("canvas", other, workload.canvas_tasks)):
        each = f"{seconds / workload.size * 1e3:.3f} ms a {workload.unit}"
        report.note(f"  {name}: {seconds:.3f} s = {tasks / seconds:,.0f} tasks/s, {each}")
    for name, cpu in (("ours", our_cpu), ("canvas", their_cpu)):
        parts = ", ".join(f"{who} {us:,.0f}" for who, us in cpu.items())
        report.note(f"  CPU per task, {name}: {sum(cpu.values()):,.0f} us ({parts})")
    report.bar(workload.name, "times as fast as canvas", other / mine, "x", at_least=workload.hold)
    if workload.name == "W2":
        report.bar("W2", "a hop", per_hop * 1e3, "ms", at_most=1.0)
        report.reach("W2", "a hop", per_hop * 1e3, "ms", at_most=0.5)
    if workload.name in REACH:
        report.reach(workload.name, "tasks per second", rate, "/s", at_least=REACH[workload.name])
