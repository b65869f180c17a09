"""W5: from before the submission of one small job to the first line of its task, on idle workers."""

import statistics
import time
from typing import TYPE_CHECKING

from benchmarks.report import Report
from benchmarks.stack import Servers
from benchmarks.stamp import connect_valkey
from benchmarks.tasks import Stamp
from benchmarks.workers import canvas_worker, ledger_worker

if TYPE_CHECKING:
    from collections.abc import Callable

WARM = 10
PAUSE = 0.03
BY_MESSAGE = "by-message"


def measure_latency(servers: Servers, report: Report, count: int = 50) -> None:
    """Measure three ways to start a task in turn: NOTIFY, a message, and plain ``delay()``."""
    from benchmarks import canvas_tasks

    report.note(f"\nW5: one small job on idle workers, {count} times each way, in turn")
    client = servers.client()
    servers.ensure_cluster(BY_MESSAGE)
    jobs = client.jobs()
    ways: dict[str, Callable[[str], object]] = {
        "NOTIFY": lambda key: jobs.submit("w5", Stamp(key)),
        "message": lambda key: jobs.submit("w5", Stamp(key), cluster=BY_MESSAGE),
        "delay()": canvas_tasks.stamp.delay,
    }
    laps: dict[str, list[float]] = {way: [] for way in ways}
    valkey = connect_valkey(servers.broker_url)
    with (
        ledger_worker(servers, TILEBOX_CELERY_WAKE_BY="notify"),
        ledger_worker(servers, cluster=BY_MESSAGE, TILEBOX_CELERY_WAKE_BY="broker"),
        canvas_worker(servers),
    ):
        for number in range(WARM + count):
            for way, send in ways.items():
                time.sleep(PAUSE)  # the slot that ran the last one is idle again
                key = f"w5:{way}:{number}:{time.monotonic_ns()}"
                begun = time.time()
                send(key)
                answer = valkey.blpop([key], timeout=30)
                assert answer is not None, f"the task sent by {way} did not start within 30 s"
                if number >= WARM:
                    laps[way].append((float(answer[1]) - begun) * 1e3)
    client.close()
    valkey.close()
    middle = {way: statistics.median(values) for way, values in laps.items()}
    for way, values in laps.items():
        p95 = sorted(values)[int(len(values) * 0.95)]
        report.note(f"  start by {way:8} p50 {middle[way]:.2f} ms, p95 {p95:.2f} ms, best {min(values):.2f} ms")
        report.add("W5", **{f"{way} ms": {"p50": middle[way], "p95": p95, "best": min(values)}})
    report.bar("W5", "NOTIFY / delay(), p50", middle["NOTIFY"] / middle["delay()"], "x", at_most=1.0)
    report.bar("W5", "message / delay(), p50", middle["message"] / middle["delay()"], "x", at_most=1.4)
    report.reach("W5", "start by NOTIFY, p50", middle["NOTIFY"], "ms", at_most=1.1)
