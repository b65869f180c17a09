"""Submit jobs, wait for them, look at them, cancel and retry them."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from tilebox_celery.client.canvas import canvas_roots, job_canvas, job_result
from tilebox_celery.client.filters import JobStates, Names, TaskStates, job_filter
from tilebox_celery.client.roots import Clusters, root_batch
from tilebox_celery.errors import ArgumentError, TileboxCeleryError
from tilebox_celery.model.ids import HasId, parse_id
from tilebox_celery.model.job import Job, TaskView, Why
from tilebox_celery.model.states import JobState
from tilebox_celery.model.submission import HasSlug
from tilebox_celery.model.task import Task
from tilebox_celery.model.task_ids import new_job_id
from tilebox_celery.model.text import storable

if TYPE_CHECKING:
    from tilebox_celery.client.transport import Transport
    from tilebox_celery.model.submission import TaskBatch

JobLike = str | UUID | HasId
"""A job, or its id as UUID or text."""

MAX_JOB_NAME = 1024
_FIRST_PAUSE, _LAST_PAUSE, _GROWTH = 0.002, 0.25, 1.5
_PAGE = 200


class JobClient:
    """The jobs of one server; `client.jobs()` makes it."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    def submit(
        self,
        job_name: str,
        root_task_or_tasks: Task | Iterable[Task],
        cluster: Clusters = None,
        max_retries: int = 0,
        *,
        limit: tuple[str, int] | None = None,
    ) -> Job:
        """Submit a job.

        Args:
            job_name: A name for people; it need not be unique.
            root_task_or_tasks: One task or several, which run side by side.
            cluster: Where they run: one cluster for all, or one for each; by default the default cluster.
            max_retries: How often each of them is run again after a failure.
            limit: A key and a number: at most so many tasks of this job with this key run at once.

        Returns:
            The job, which is stored when this returns.

        Raises:
            NotFoundError: A cluster does not exist, or none is named and there is no default one.
            ArgumentError: The number of clusters is not that of the tasks, or another argument cannot be used.
            InputError: A task's input is not JSON, or too large.
            TypeError: Something is not a task.

        Example:
            job = client.jobs().submit("my-job", MyTask("input"), cluster="dev-cluster")
        """
        _check_name(job_name)
        roots = root_batch(root_task_or_tasks, cluster, max_retries, limit, self._transport.max_input_bytes, job_name)
        return self._submit(job_name, roots)

    def submit_canvas(self, job_name: str, signature: Any, cluster: str | HasSlug | None = None) -> Job:
        """Submit a Celery canvas as a job, which runners that registered its plain Celery tasks execute.

        Args:
            job_name: A name for people; it need not be unique.
            signature: A chain, group, chord, chunks, map, starmap or single Signature, or the dict of its JSON.
            cluster: Where it runs; by default the default cluster, and where a Task class of `canvas(job)` ran.

        Returns:
            The job, which is stored when this returns; `result` gives what it returned.

        Raises:
            CanvasError: It cannot be a job; the message names the place, such as ``chain[2].group[0]``.
            NotFoundError: The cluster does not exist, or none is named and there is no default one.

        Example:
            job = client.jobs().submit_canvas("sums", chord([add.s(2, 2), add.s(4, 4)], total.s()))
        """
        _check_name(job_name)
        return self._submit(job_name, *canvas_roots(self._transport, signature, cluster))

    def canvas(self, job: JobLike, app: Any = None) -> Any:
        """Return a job as a Celery Signature: a canvas as it was submitted, any other job as the graph it has become.

        Args:
            job: The job or its id.
            app: The Celery app that knows its tasks; by default the one of this process.

        Raises:
            NotFoundError: There is no such job.
            CanvasError: Canvas cannot state its graph; the message names the dependency.
        """
        return job_canvas(self._transport, parse_id(job), app)

    def result(self, job: JobLike) -> Any:
        """Return the result of a completed canvas: that of its last task, a list for a group.

        Raises:
            NotFoundError: There is no such job.
            ArgumentError: The job was no canvas, or has not completed.
        """
        return job_result(self._transport, parse_id(job))

    def find(self, job: JobLike) -> Job:
        """Return a job as it is now.

        Args:
            job: A Job (to ask again), or its id as UUID or text.

        Raises:
            NotFoundError: There is no such job.
            ArgumentError: The id is malformed; it is a ValueError.
        """
        return self._transport.find_job(parse_id(job), self)

    def wait(self, job: JobLike, timeout: float | timedelta | None = None) -> Job:
        """Wait until a job is completed, failed or canceled, and nothing of it runs any more.

        Args:
            job: The job or its id.
            timeout: Seconds, or a time span; None waits for ever.

        Returns:
            The job in its new state; a failed job is returned, not raised.

        Raises:
            TimeoutError: It was not over in time; it goes on.
            ArgumentError: The timeout is neither a number nor a time span.
            NotFoundError: There is no such job.
        """
        job_id = parse_id(job)
        seconds = None if timeout is None else _seconds(timeout)
        started = time.monotonic()
        pause = _FIRST_PAUSE
        while not (progress := self._transport.job_progress(job_id)).is_over:
            left = None if seconds is None else started + seconds - time.monotonic()
            if left is not None and left <= 0:
                counts = ", ".join(
                    f"{count:,} {state.replace('_', ' ').lower()}" for state, count in progress.counts.items() if count
                )
                tasks = "task" if sum(progress.counts.values()) == 1 else "tasks"
                raise TimeoutError(f"Job {job_id} is {progress.state} after {seconds:g} s: {counts or 'no'} {tasks}.")
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * _GROWTH, _LAST_PAUSE)
        return self.find(job_id)

    def query(
        self,
        temporal_extent: Any = None,
        automation_ids: Any = None,
        job_states: JobStates = None,
        name: str | None = None,
        task_states: TaskStates = None,
        clusters: Names = None,
        *,
        limit: int | None = None,
        after: JobLike | None = None,
    ) -> list[Job]:
        """List jobs, the newest first; all filters that are given must match.

        Args:
            temporal_extent: When they were submitted: a pair (start, end) of datetimes or ISO texts, where None leaves
                an end open, or an interval with `start` and `end`. The end does not belong to it.
            automation_ids: Not available yet.
            job_states: One state, or several.
            name: Words that the name contains, in any order and case.
            task_states: Jobs with at least one task in one of these states.
            clusters: Jobs with at least one task in one of these clusters.
            limit: How many at most; None returns all.
            after: Go on after this job, the last of the page before.

        Raises:
            ArgumentError: A filter cannot be used.

        Example:
            failed = client.jobs().query(job_states=JobState.FAILED, limit=10)
        """
        if automation_ids is not None:
            raise ArgumentError("automation_ids: automations come with a later version; leave this filter out.")
        which = job_filter(temporal_extent, job_states, name, task_states, clusters)
        if limit is not None and (type(limit) is not int or limit < 0):
            raise ArgumentError(f"limit must be a whole number of 0 or more, or None, not {limit!r:.80}.")
        last = None if after is None else parse_id(after)
        found: list[Job] = []
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = self._transport.list_jobs(which, size, last, self)
            found += page
            if len(page) < size:
                break
            last = page[-1].id
        return found

    def cancel(self, job: JobLike) -> None:
        """Cancel a job: its queued tasks are not picked up any more, running ones may end.

        Raises:
            NotFoundError: There is no such job.
        """
        job_id = parse_id(job)
        with self._span("cancel_job", job, job_id):
            self._transport.cancel_job(job_id)

    def retry(self, job: JobLike, dry_run: bool = False) -> int:
        """Run the failed tasks of a job again, with fresh retries, and let a canceled job go on.

        Args:
            job: The job or its id.
            dry_run: Change nothing.

        Returns:
            How many failed tasks run again, or would; 0 for a completed job.

        Raises:
            NotFoundError: There is no such job.
        """
        job_id = parse_id(job)
        if dry_run:
            return self._transport.retry_job(job_id, dry_run=True)
        with self._span("retry_job", job, job_id):
            return self._transport.retry_job(job_id, dry_run=False)

    def tasks(self, job: JobLike) -> list[TaskView]:
        """Return the root tasks of a job, each with its subtasks in `children`, and theirs.

        Raises:
            NotFoundError: There is no such job.

        Example:
            for task in client.jobs().tasks(job):
                print(task.display, task.state, len(task.children))
        """
        roots: list[TaskView] = []
        by_id: dict[UUID, TaskView] = {}
        for task in self.iter_tasks(job):
            by_id[task.id] = task
            parent = None if task.parent_id is None else by_id.get(task.parent_id)
            (roots if parent is None else parent.children).append(task)
        return roots

    def iter_tasks(self, job: JobLike) -> Iterator[TaskView]:
        """Yield the tasks of a job one by one, parents before their subtasks, in little memory.

        `children` stays empty; `parent_id` says where a task belongs.

        Raises:
            NotFoundError: There is no such job.
        """
        return self._transport.job_tasks(parse_id(job))

    def why(self, job: JobLike) -> list[Why]:
        """Say for each queued task of a job why it does not run.

        Raises:
            NotFoundError: There is no such job.

        Example:
            for why in client.jobs().why(job):
                print(why)
        """
        return list(self._transport.why(parse_id(job)))

    def visualize(self, job: JobLike, direction: str = "down", layout: str = "dagre", sketchy: bool = True) -> NoReturn:
        """Refuse: diagrams come with a later version.

        Raises:
            TileboxCeleryError: Always.
        """
        raise TileboxCeleryError(
            "Diagrams of jobs come with a later version; client.jobs().tasks(job) gives the tree, and "
            "'tilebox-celery job watch' shows it."
        )

    def display(self, job: JobLike, direction: str = "down", layout: str = "dagre", sketchy: bool = True) -> NoReturn:
        """Refuse: diagrams come with a later version.

        Raises:
            TileboxCeleryError: Always.
        """
        self.visualize(job, direction, layout, sketchy)

    def _submit(self, name: str, roots: "TaskBatch", canvas: Mapping[str, Any] | None = None) -> Job:
        from tilebox_celery.ledger.control import Submission
        from tilebox_celery.observability.tracing import start_job_span

        submission = Submission(new_job_id(), name, start_job_span(name), roots, canvas)
        submitted_at = self._transport.submit(submission)
        return Job(
            id=submission.id,
            name=name,
            trace_parent=submission.trace_parent,
            state=JobState.SUBMITTED,
            submitted_at=submitted_at,
            _client=self,
        )

    def _span(self, action: str, job: JobLike, job_id: UUID) -> AbstractContextManager[object]:
        from tilebox_celery.observability import tracing

        if tracing.current() is None:
            return nullcontext()
        trace_parent = job.trace_parent if isinstance(job, Job) else self.find(job_id).trace_parent
        return tracing.job_span(action, trace_parent)


def _seconds(timeout: object) -> float:
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or math.isnan(seconds):
        raise ArgumentError(f"timeout is a number of seconds, a timedelta, or None for no limit, not {timeout!r:.80}.")
    return seconds


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_JOB_NAME:
        raise ArgumentError(f"A job needs a name of 1 to {MAX_JOB_NAME} characters, not {name!r:.80}.")
    if storable(name) != name:
        raise ArgumentError(f"The job name {name!r:.80} holds what no database can: a NUL, or half of a character.")
