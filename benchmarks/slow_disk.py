"""Slow disk: W1 with 1.5 ms added to every fsync and fdatasync of the servers, beside W1 without."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.engines import run_ours, workloads
from benchmarks.measure import Lap, measure, median_seconds
from benchmarks.stack import servers
from benchmarks.workers import ledger_worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.report import Report
    from benchmarks.stack import Servers

ADDED_US = 1500


def measure_slow_disk(quick: "Servers", report: "Report", runs: int) -> None:
    """Run W1 on the servers that are up and on servers with a slow disk, in turn."""
    report.note(f"\nslow disk: {ADDED_US / 1e3} ms added to every fsync and fdatasync of the servers")
    if shutil.which("cc") is None:
        report.note("  skipped: there is no C compiler (cc)")
        return
    workload = workloads()[0]
    laps: dict[bool, list[Lap]] = {False: [], True: []}
    with _slow_servers(quick.home.parent / "slow") as slow, ledger_worker(quick) as one, ledger_worker(slow) as other:
        # A slow commit proves nothing on a busy machine: look for the library itself.
        mapped = Path(f"/proc/{slow.postgres.pid}/maps").read_text(encoding="utf-8")
        assert "slow_fsync" in mapped, "PostgreSQL did not load the library"
        commits = {name: _commit_seconds(where) for name, where in (("as it is", quick), ("slow", slow))}
        report.note("  one durable commit: " + ", ".join(f"{name} {s * 1e3:.2f} ms" for name, s in commits.items()))
        if commits["slow"] - commits["as it is"] < ADDED_US / 2e6:
            report.note("  the disk itself is so busy that the delay hardly shows: this run says little")
        for number in range(runs + 1):
            for is_slow, where, worker in ((False, quick, one), (True, slow, other)):
                parties = {"workers": worker, "postgres": where.postgres, "valkey": where.valkey}
                lap = measure(lambda w=where: run_ours(w, workload.ours(), workload.our_tasks), parties)  # type: ignore[misc]  # the default binds the loop's value
                if number:  # the first ones are warm-up
                    laps[is_slow].append(lap)
    fast, slowed = median_seconds(laps[False]), median_seconds(laps[True])
    report.note(f"  W1 {fast:.3f} s as it is, {slowed:.3f} s on the slow disk")
    report.add("disk", fast_seconds=fast, slow_seconds=slowed, commit_seconds=commits)
    report.bar("disk", "W1's speed kept on a slow disk", fast / slowed, "x", at_least=0.5)


@contextmanager
def _slow_servers(home: Path) -> "Iterator[Servers]":
    with tempfile.TemporaryDirectory(prefix="slow-fsync-") as folder:
        library = Path(folder) / "slow_fsync.so"
        source = Path(__file__).with_name("slow_fsync.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True, timeout=60)
        Path(folder).chmod(0o755)  # PostgreSQL runs as nobody where we are root
        with servers(home, LD_PRELOAD=os.fspath(library), SLOW_FSYNC_US=str(ADDED_US)) as slow:
            yield slow


def _commit_seconds(where: "Servers") -> float:
    seconds = []
    with where.connect() as connection:
        connection.execute("create table if not exists public.commits (n int)")
        for number in range(21):
            begun = time.perf_counter()
            connection.execute("insert into public.commits values (%s)", (number,))
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
