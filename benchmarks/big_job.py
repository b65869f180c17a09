"""A job of 100,000 tasks: submit, run, look at it, cancel it, and the memory of client and worker."""

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import peak_rss_bytes
from benchmarks.workers import ROOT, ledger_worker

if TYPE_CHECKING:
    from benchmarks.report import Report
    from benchmarks.stack import Servers

LONGEST = 300.0
MB = 1e6


@dataclass(frozen=True)
class Submitted:
    """What a process measured that submitted a big job."""

    job: str
    begun: float
    """Seconds since the epoch."""
    seconds: float
    grown: int
    """Bytes of memory, with the tasks."""


def measure_big_job(servers: "Servers", report: "Report", count: int) -> None:
    """Submit, run and cancel big jobs."""
    report.note(f"\nbig job: {count:,} no-op tasks submitted in one call")
    jobs = servers.client().jobs()
    with ledger_worker(servers) as worker:
        submit_elsewhere(servers, 1000)
        wait_for_all(servers)
        before = worker.rss_bytes()
        submitted = submit_elsewhere(servers, count)
        begun = time.perf_counter()
        looks = []
        while not (job := jobs.find(submitted.job)).completed:
            assert time.perf_counter() - begun < LONGEST, f"{job.state} after {LONGEST:.0f} s"
            look = time.perf_counter()
            jobs.find(submitted.job)
            looks.append(time.perf_counter() - look)
            time.sleep(0.2)
        assert job.finished_at is not None, "a completed job has an end"
        took = job.finished_at.timestamp() - submitted.begun
        grown = max(peak_rss_bytes(pid) - size for pid, size in before.items())
        canceled = submit_elsewhere(servers, count)
        time.sleep(0.3)  # some of it has run by then
        begun = time.perf_counter()
        jobs.cancel(canceled.job)
        cancel = time.perf_counter() - begun
        left = jobs.wait(canceled.job, LONGEST).execution_stats.tasks_by_state
    report.note(f"  {count / took:,.0f} tasks/s from the submission on; {len(looks)} looks at the job meanwhile")
    report.add("big job", seconds=took, left_after_cancel={str(state): number for state, number in left.items()})
    report.bar("big job", "submit", submitted.seconds, "s", at_most=10)
    report.bar("big job", "run, from the submission", took, "s", at_most=60)
    report.bar("big job", "job get, p50", statistics.median(looks) * 1e3, "ms", at_most=50)
    report.bar("big job", "cancel", cancel, "s", at_most=1)
    report.bar("big job", "growth of the client, with its tasks", submitted.grown / MB, "MB", at_most=50)
    report.bar("big job", "growth of a worker process", grown / MB, "MB", at_most=50)


def submit_elsewhere(servers: "Servers", count: int) -> Submitted:
    """Submit a job from a process of its own and return what it measured."""
    command = [sys.executable, "-m", "benchmarks.submit_many", str(count)]
    done = subprocess.run(
        command, cwd=ROOT, env=servers.full_environment, stdout=subprocess.PIPE, check=True, timeout=LONGEST
    )
    return Submitted(**json.loads(done.stdout))


def wait_for_all(servers: "Servers") -> None:
    """Wait until no job runs."""
    jobs = servers.client().jobs()
    for job in jobs.query():
        jobs.wait(job, LONGEST)
