"""Worker processes of a test, and the facts that it waits for."""

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tilebox_celery.model.job import TaskView
from tilebox_celery.workflows import Client

HERE = Path(__file__).parent
LEASE_SECONDS = 3.0


def until(fact: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for a fact and return it."""
    deadline = time.monotonic() + seconds
    while not (value := fact()):
        assert time.monotonic() < deadline, "the fact did not come true in time"
        time.sleep(0.02)
    return value


def is_dead(process: psutil.Process) -> bool:
    """Tell whether a process has ended; one that nobody has waited for yet counts."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class Fleet:
    """The workers of one test, on the ledger of that test."""

    def __init__(self, client: Client, ledger_url: str, broker_url: str, folder: Path) -> None:
        self.client = client
        self.ledger_url = ledger_url
        self.folder = folder
        self.effects_file = folder / "effects"
        self.effects_file.touch()
        self.log = (folder / "workers.log").open("ab")
        self.environment = {
            **os.environ,
            "EFFECTS": str(self.effects_file),
            "TILEBOX_CELERY_LEDGER_URL": ledger_url,
            "TILEBOX_CELERY_BROKER_URL": broker_url,
            "TILEBOX_CELERY_LEASE": str(LEASE_SECONDS),
            "TILEBOX_CELERY_HEARTBEAT": "0.5",
        }
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a worker and wait until the ledger knows its slots."""
        return self.run([sys.executable, str(HERE / "workflow.py"), *options], **variables)

    def run(self, command: Sequence[str], **variables: str) -> subprocess.Popen[bytes]:
        """Start a worker by a command of its own, in this folder, and wait until the ledger knows its slots."""
        worker = self.launch(command, **variables)
        until(lambda: self._has_all_slots(worker.pid) or worker.poll() is not None)
        assert worker.poll() is None, self.logged()[-3000:]
        return worker

    def launch(self, command: Sequence[str], **variables: str) -> subprocess.Popen[bytes]:
        """Start a process that belongs to the fleet."""
        environment = {**self.environment, **variables}
        worker = subprocess.Popen(command, cwd=HERE, env=environment, stdout=self.log, stderr=self.log)
        self.workers.append(worker)
        return worker

    def logged(self) -> str:
        """Return what the workers have logged."""
        return (self.folder / "workers.log").read_text()

    def _has_all_slots(self, pid: int) -> bool:
        return bool(
            self.query(
                "select 1 from tbx.runners r where r.pid = %s"
                " and (select count(*) from tbx.slots s where s.runner_id = r.id) >= r.slot_count",
                pid,
            )
        )

    def stop(self) -> None:
        """Kill all workers with what they have started: how they end by a signal has tests of its own."""
        everybody = []
        for worker in self.workers:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(worker.pid)
                everybody += [process, *process.children(recursive=True)]
        for process in everybody:
            with contextlib.suppress(psutil.Error):
                process.kill()
        for worker in self.workers:
            worker.wait(15)
        until(lambda: all(map(is_dead, everybody)), 15)
        self.log.close()

    def effects(self) -> list[str]:
        """Return the lines that tasks have left."""
        return self.effects_file.read_text().splitlines()

    def count(self, start: str) -> int:
        """Count the lines that begin so."""
        return sum(line.startswith(start) for line in self.effects())

    def until_left(self, start: str) -> str:
        """Wait for a line that begins so, and return it."""
        return str(until(lambda: next((line for line in self.effects() if line.startswith(start)), None)))

    def check_effects(self, *names: str, once: bool = True) -> None:
        """See that each step has started and ended: exactly once, or at least once where processes were killed."""
        lines = self.effects()
        for word in ("start", "end"):
            counts = Counter(line.split()[1] for line in lines if line.startswith(f"{word} "))
            wrong = {name: counts[name] for name in names if (counts[name] != 1 if once else counts[name] < 1)}
            assert not wrong, f"{word}: {wrong}"

    def keeper(self, worker: subprocess.Popen[bytes]) -> psutil.Process | None:
        """Return the keeper of a worker."""
        for child in psutil.Process(worker.pid).children():
            with contextlib.suppress(psutil.Error):
                if "keeper" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                    return child
        return None

    def slots(self, worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """Return the pool processes of a worker that live."""
        alive = []
        for child in psutil.Process(worker.pid).children():
            with contextlib.suppress(psutil.Error):  # of a zombie nobody reads the command
                if "keeper" not in " ".join(child.cmdline()):
                    alive.append(child)
        return alive

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the ledger."""
        with psycopg.connect(self.ledger_url, autocommit=True) as connection:
            return connection.execute(sql.encode(), parameters).fetchall()

    def tasks(self, job: object) -> list[TaskView]:
        """Return all tasks of a job, parents first."""
        found: list[TaskView] = []
        left = list(self.client.jobs().tasks(job))  # type: ignore[arg-type] # a Job or its id
        while left:
            found.append(left[0])
            left = left[1:] + list(left[0].children)
        return found

    def check_ledger(self) -> None:
        """Recompute every counter from the rows, and see that each task was committed once."""
        wrong_groups = self.query(
            "select g.job_id, g.id from tbx.task_groups g where g.blocked_by <> (select count(*) from tbx.group_edges e"
            " join tbx.task_groups f on f.job_id = e.job_id and f.id = e.from_id"
            " where e.job_id = g.job_id and e.to_id = g.id and f.open > 0)"
        )
        wrong_counts = self.query(
            "select j.id from tbx.jobs j"
            " cross join lateral (select coalesce(sum(queued), 0) q, coalesce(sum(running), 0) r,"
            " coalesce(sum(computed), 0) c, coalesce(sum(failed), 0) f from tbx.job_counts c where c.job_id = j.id) c"
            " cross join lateral (select count(*) filter (where state = 'QUEUED') q,"
            " count(*) filter (where state = 'RUNNING') r,"
            " count(*) filter (where state = 'COMPUTED') c, count(*) filter (where state = 'FAILED') f"
            " from tbx.tasks t where t.job_id = j.id) t where (c.q, c.r, c.c, c.f) <> (t.q, t.r, t.c, t.f)"
        )
        twice = self.query(
            "select job_id, task_id from tbx.attempts where outcome = 'computed' group by 1, 2 having count(*) > 1"
        )
        assert (wrong_groups, wrong_counts, twice) == ([], [], [])
