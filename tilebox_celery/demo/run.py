"""One run of the demo: two workers, one job, at will a kill in the middle of it, and what came of it."""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tilebox_celery.caches import JobCache, LocalFileSystemCache
from tilebox_celery.client.client import Client
from tilebox_celery.demo.expected import expected_files
from tilebox_celery.demo.preview import Preview
from tilebox_celery.demo.screen import Screen
from tilebox_celery.demo.snapshot import Snapshot, kind, take_snapshot
from tilebox_celery.demo.workers import Worker
from tilebox_celery.demo.workflow import FlakyTile, ProcessScene
from tilebox_celery.errors import ArgumentError, TileboxCeleryError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Attempt, Job
from tilebox_celery.model.states import JobState, TaskState
from tilebox_celery.model.text import counted
from tilebox_celery.model.tracebacks import cause_line

if TYPE_CHECKING:
    from uuid import UUID

WORKERS = 2
VICTIM = "MosaicStrip"
"""Tasks in the middle of which a worker is killed."""
KILL_AFTER = 3
"""How many of them are computed before."""
_LOOK_SECONDS = 0.1
_RUN = re.compile(r"One run of the demo, by process (\d+) of (.*)")


@dataclass
class Outcome:
    """What came of a run."""

    job: Job
    snapshot: Snapshot
    folder: Path
    """Where the files are."""
    seconds: float = 0.0
    """From the submission to the end of the job."""
    is_identical: bool = False
    """Whether each file has the bytes that one process computes without workers."""
    problems: list[str] = field(default_factory=list)
    """What is not as it should be, one sentence each."""


class Run:
    """Runs the workflow once.

    Args:
        client: Of any ledger.
        screen: Where to show it.
        folder: Where the files go.
        pace: Seconds that a task rests before it works.
        kill: Kill a worker in mid-mosaic.
    """

    def __init__(self, client: Client, screen: Screen, folder: Path, *, pace: float, kill: bool) -> None:
        self._client = client
        self._screen = screen
        self._folder = folder
        self._pace = pace
        self._is_to_kill = kill
        self._cache = folder
        self.workers: list[Worker] = []
        self._told: set[tuple[UUID, int]] = set()

    def run(self) -> Outcome:
        """Start workers, run the job, fetch its files, and check everything.

        Raises:
            ArgumentError: The folder cannot be used.
            TileboxCeleryError: It could not come to an end.
        """
        with self._own_cache(), self._own_cluster() as cluster, self._draining():
            for _ in range(WORKERS):
                self._start_worker(cluster)
            self._screen.tell(f"{WORKERS} workers start, each a process of its own")
            for worker in self.workers:
                worker.await_ready()
            self._screen.tell(f"{WORKERS} workers are ready")
            begin = time.monotonic()
            job = self._client.jobs().submit("demo: Landsat scene", ProcessScene(self._pace), cluster)
            with self._canceled_on_error(job):
                snapshot = self._watch(job, cluster)
            outcome = Outcome(job, snapshot, self._folder, time.monotonic() - begin)
            wrong = self._fetch_files(self._job_cache(job))
        self._check(outcome, wrong)
        return outcome

    def _watch(self, job: Job, cluster: Cluster) -> Snapshot:
        preview = Preview(self._job_cache(job))
        while True:
            snapshot = take_snapshot(self._client, job)
            self._screen.show(snapshot, self.workers, preview)
            self._tell_attempts(snapshot)
            if snapshot.state.is_terminal and not any(task.state is TaskState.RUNNING for task in snapshot.tasks):
                return snapshot
            if self._is_to_kill:
                self._kill_worker_amid(snapshot, job, cluster)
            elif all(worker.exit_code is not None for worker in self.workers):
                raise TileboxCeleryError(f"All workers ended before the job did: see {self.workers[-1].log}.")
            time.sleep(_LOOK_SECONDS)

    def _kill_worker_amid(self, snapshot: Snapshot, job: Job, cluster: Cluster) -> None:
        """Kill a worker that runs a task of the mosaic, once a few of them are computed; any, if it was too quick."""
        mosaic = [task for task in snapshot.tasks if kind(task) == VICTIM]
        computed = sum(task.state is TaskState.COMPUTED for task in mosaic)
        if computed < KILL_AFTER:
            return
        is_over = computed == len(mosaic)
        for worker in self.workers:
            if not any(is_over or task in mosaic for task in snapshot.running_on(worker)):
                continue
            worker.freeze()  # or the task might be over before the signal arrives
            running = take_snapshot(self._client, job).running_on(worker)
            victim = next((task for task in running if is_over or kind(task) == VICTIM), None)
            if victim is None:
                worker.thaw()
                continue
            worker.kill()
            self._is_to_kill = False
            self._screen.tell(f"kill -9 {worker.pid}: worker {worker.number}, amid a {kind(victim)}", "bold red")
            self._screen.tell(f"worker {self._start_worker(cluster).number} starts in its place")
            return

    def _tell_attempts(self, snapshot: Snapshot) -> None:
        """Tell once of each attempt that came to nothing."""
        for task in (*snapshot.failed_attempts, *snapshot.repeated):
            for attempt in task.attempts:
                if attempt.outcome in (None, "computed", "given_back") or (task.id, attempt.number) in self._told:
                    continue
                self._told.add((task.id, attempt.number))
                self._screen.tell(f"{kind(task)} runs again: {_reason(attempt)}", "magenta")

    def _check(self, outcome: Outcome, wrong: list[str]) -> None:
        snapshot, problems = outcome.snapshot, outcome.problems
        if snapshot.state is not JobState.COMPLETED:
            problems.append(f"The job is {snapshot.state}, not COMPLETED.")
        if lost := len(snapshot.uncomputed):
            problems.append(f"{counted(lost, 'task')} without a result.")
        flaky = [task.display for task in snapshot.failed_attempts]
        if len(flaky) != 1:
            problems.append(f"One task should have failed once ({FlakyTile.__name__}), not {len(flaky)}: {flaky}.")
        killed = [worker for worker in self.workers if worker.is_killed]
        if len(snapshot.repeated) != len(killed):
            problems.append(
                f"Workers killed: {len(killed)}, but tasks that ran again for it: {len(snapshot.repeated)}."
            )
        outcome.is_identical = not wrong
        problems += [f"{name} is not what one process computes without workers." for name in wrong]
        if self._is_to_kill:
            problems.append("No worker could be killed: the mosaic was over too soon.")
        for worker in self.workers:
            if not worker.is_killed and worker.exit_code != 0:
                problems.append(f"Worker {worker.number} ended with exit code {worker.exit_code}: see {worker.log}.")

    def _start_worker(self, cluster: Cluster) -> Worker:
        number = len(self.workers) + 1
        worker = Worker(number, cluster.slug, self._cache, self._folder / f"worker-{number}.log")
        self.workers.append(worker)
        return worker

    def _job_cache(self, job: Job) -> JobCache:
        return LocalFileSystemCache(self._cache).group(str(job.id))

    def _fetch_files(self, cache: JobCache) -> list[str]:
        """Copy the files to where people look, and return the names of those that are missing or wrong."""
        wrong = []
        for name, expected in expected_files().items():
            path = self._folder / name
            try:
                found = cache[f"files/{name}"]
            except KeyError:
                path.unlink(missing_ok=True)  # of an earlier run
                wrong.append(name)
                continue
            fresh = path.with_name(f".{name}.{os.getpid()}")
            fresh.write_bytes(found)
            fresh.replace(path)
            if found != expected:
                wrong.append(name)
        return wrong

    @contextmanager
    def _own_cache(self) -> Iterator[None]:
        """Make the folder, and in it a cache for this run, which nobody needs afterwards."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            folder = TemporaryDirectory(prefix="cache-", dir=self._folder)
        except OSError as error:
            raise ArgumentError(f"The folder {self._folder} cannot be used: {error.strerror}.") from error
        with folder as name:
            self._cache = Path(name)
            yield

    @contextmanager
    def _own_cluster(self) -> Iterator[Cluster]:
        """Keep workers of other runs, and what an interrupted run left queued, away from this one."""
        clusters = self._client.clusters()
        self._delete_orphans()
        cluster = clusters.create("demo", f"One run of the demo, by process {os.getpid()} of {socket.gethostname()}")
        try:
            yield cluster
        finally:
            with suppress(ArgumentError):  # something of a failed or canceled job is left there
                clusters.delete(cluster)

    def _delete_orphans(self) -> None:
        """Delete the clusters of runs whose process was killed on this machine, and cancel their jobs."""
        for cluster in self._client.clusters().all():
            found = _RUN.fullmatch(cluster.description)
            if cluster.display_name != "demo" or not found or found[2] != socket.gethostname() or _lives(int(found[1])):
                continue
            for job in self._client.jobs().query(clusters=[cluster]):
                if not job.state.is_terminal:
                    self._client.jobs().cancel(job)
            with suppress(ArgumentError):  # its workers may still be draining
                self._client.clusters().delete(cluster)

    @contextmanager
    def _draining(self) -> Iterator[None]:
        try:
            yield
        finally:
            for worker in self.workers:
                worker.drain()
            for worker in self.workers:
                worker.await_end()

    @contextmanager
    def _canceled_on_error(self, job: Job) -> Iterator[None]:
        """Leave nothing behind that the workers of the next run would take up."""
        try:
            yield
        except BaseException:
            self._client.jobs().cancel(job)
            with suppress(OSError, SystemExit):  # the terminal may be closed; rich ends the process where a pipe is
                self._screen.tell("the job is canceled")
            raise


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _reason(attempt: Attempt) -> str:
    """Return the cause in a traceback without the module of the error, or what else ended the attempt."""
    error, colon, message = cause_line(attempt.error or str(attempt.outcome)).partition(": ")
    return error.rpartition(".")[2] + colon + message
