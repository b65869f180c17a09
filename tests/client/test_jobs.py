"""Finding jobs, waiting for them, canceling and retrying them; their states and statistics."""

import copy
import dataclasses
import pickle
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from slots_by_hand import MakeSlot, subtasks

from tilebox_celery.client.client import Client
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import ProgressIndicator
from tilebox_celery.model.states import JobState, TaskState
from tilebox_celery.model.task_ids import new_job_id, public_task_id
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.workflows import ExecutionContext, Task


class Tile(Task):
    number: int = 0

    def execute(self, context: ExecutionContext) -> None:
        pass


class Flaky(Task):
    def execute(self, context: ExecutionContext) -> None:
        raise KeyError("Title")


@pytest.mark.clause("1.6-6")
def test_find_takes_all_forms_of_an_id(client: Client, cluster: Cluster) -> None:
    """A job is found by its id as UUID or text, and by itself."""
    job = client.jobs().submit("job", Tile())

    found = [client.jobs().find(form).id for form in (job.id, str(job.id), job, f" {job.id} ")]

    assert found == [job.id] * 4


@pytest.mark.clause("1.6-7")
def test_unknown_and_malformed_ids_differ(client: Client) -> None:
    """An unknown id raises NotFoundError and a malformed one ValueError, from every call that takes a job."""
    jobs = client.jobs()
    calls: list[Any] = [jobs.find, jobs.wait, jobs.cancel, jobs.retry, jobs.tasks, jobs.iter_tasks, jobs.why]
    unknown = new_job_id()

    for call in calls:
        with pytest.raises(NotFoundError, match=f"No such job {unknown}"):
            call(unknown)
        with pytest.raises(ValueError, match="Invalid id 'abc': expected an id such as"):
            call("abc")


@pytest.mark.clause("2.jobs-6", "1.6-16")
def test_states_of_a_job(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """A job is SUBMITTED, RUNNING while a task runs, STARTED in between, and COMPLETED when all is settled."""
    job = client.jobs().submit("job", [Tile(), Tile()])
    slot = make_slot("Tile")
    states = [client.jobs().find(job).state]
    for _ in range(2):
        task = slot.claim()
        states.append(client.jobs().find(job).state)
        slot.compute(task)
        states.append(client.jobs().find(job).state)

    assert states == [
        JobState.SUBMITTED,
        JobState.RUNNING,
        JobState.STARTED,
        JobState.RUNNING,
        JobState.COMPLETED,
    ]
    assert client.jobs().find(job).completed
    assert not client.jobs().find(job).canceled


@pytest.mark.clause("1.6-16")
def test_failed_job_counts_as_canceled(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """A job with a failed task is FAILED, and canceled is true as for a canceled one."""
    job = client.jobs().submit("job", [Tile(), Tile()])
    slot = make_slot("Tile")

    slot.fail(slot.claim(), "KeyError: 'Title'")

    found = client.jobs().find(job)
    assert (found.state, found.canceled, found.completed) == (JobState.FAILED, True, False)


@pytest.mark.clause("1.6-8")
def test_cancel_keeps_tasks_from_being_picked_up(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """After cancel, by job or id, no queued task is claimed, and the job is CANCELED."""
    job = client.jobs().submit("job", [Tile() for _ in range(3)])
    slot = make_slot("Tile")

    client.jobs().cancel(str(job.id))

    with pytest.raises(AssertionError, match="nothing is runnable"):
        slot.claim()
    found = client.jobs().find(job)
    assert (found.state, found.canceled) == (JobState.CANCELED, True)
    assert found.execution_stats.tasks_by_state[TaskState.QUEUED] == 3


def test_cancel_twice_and_after_the_end_is_harmless(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """Canceling again, or a completed job, changes nothing."""
    canceled = client.jobs().submit("job", Tile())
    client.jobs().cancel(canceled)
    done = client.jobs().submit("done", Tile())
    slot = make_slot("Tile")
    slot.compute(slot.claim())

    client.jobs().cancel(canceled)
    client.jobs().cancel(done)

    assert client.jobs().find(canceled).state is JobState.CANCELED
    assert client.jobs().find(done).state is JobState.COMPLETED


@pytest.mark.clause("1.6-8")
def test_retry_runs_failed_tasks_again(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """Retry tells how many failed tasks run again, and they do; a dry run only tells."""
    job = client.jobs().submit("job", [Tile(), Tile()])
    slot = make_slot("Tile")
    first, second = slot.claim(), None
    slot.compute(first)
    second = slot.claim()
    slot.fail(second, "boom")

    would = client.jobs().retry(job, dry_run=True)
    before = client.jobs().find(job).state
    did = client.jobs().retry(job)

    assert (would, before, did) == (1, JobState.FAILED, 1)
    again = slot.claim()
    slot.compute(again)
    assert again.id == second.id
    assert client.jobs().find(job).state is JobState.COMPLETED


def test_retry_of_a_completed_job_is_zero(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """Retrying a completed job runs nothing and returns 0."""
    job = client.jobs().submit("job", Tile())
    slot = make_slot("Tile")
    slot.compute(slot.claim())

    assert client.jobs().retry(job) == 0
    assert client.jobs().find(job).state is JobState.COMPLETED


def test_retry_lets_a_canceled_job_go_on(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """Retrying a canceled job without failed tasks returns 0, and its tasks are picked up again."""
    job = client.jobs().submit("job", Tile())
    client.jobs().cancel(job)

    count = client.jobs().retry(job)

    assert count == 0
    assert client.jobs().find(job).state is JobState.SUBMITTED
    assert make_slot("Tile").claim().job_id > 0


@pytest.mark.clause("2.jobs-5")
def test_statistics(client: Client, cluster: Cluster, make_slot: MakeSlot, connection: Connection) -> None:
    """A job tells its times, its attempts, what it cost, and how much ran at once."""
    job = client.jobs().submit("job", Tile(), max_retries=1)
    slot = make_slot("Tile")
    slot.fail(slot.claim(), "boom")
    slot.compute(slot.claim())

    found = client.jobs().find(job)

    stats = found.execution_stats
    row = connection.execute(
        "select (select submitted_at from tbx.jobs), min(claimed_at), max(finished_at) from tbx.attempts"
    ).fetchone()
    assert row is not None
    assert (found.submitted_at, found.started_at, stats.last_task_stopped_at) == row
    assert stats.first_task_started_at == found.started_at
    assert stats.elapsed == row[2] - row[1]
    assert (stats.attempts, stats.compute_time, stats.cpu_seconds) == (2, timedelta(seconds=0.5), 0.2)
    assert (stats.peak_rss_bytes, stats.total_tasks) == (50_000_000, 1)
    [listed] = client.jobs().query()
    assert listed.execution_stats.peak_rss_bytes is None  # not measured, which is not 0
    assert stats.tasks_by_state == {state: int(state is TaskState.COMPUTED) for state in TaskState}
    assert found.submitted_at.tzinfo is UTC


def test_elapsed_goes_on_while_tasks_are_left(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """While tasks are left, elapsed is the time from the first start to now."""
    job = client.jobs().submit("job", [Tile(), Tile()])
    slot = make_slot("Tile")
    slot.compute(slot.claim())

    first = client.jobs().find(job).execution_stats.elapsed
    second = client.jobs().find(job).execution_stats.elapsed

    assert timedelta() < first < second


def test_times_are_utc_on_any_server(ledger_url: str, cluster: Cluster, connection: Connection) -> None:
    """Times are in UTC, whatever the time zone of the server."""
    connection.execute("set timezone to 'Asia/Kolkata'")
    name = connection.execute("select current_database()").fetchone()
    assert name is not None
    connection.execute(f"alter database {name[0]} set timezone to 'Asia/Kolkata'")
    client = Client(url=ledger_url)

    job = client.jobs().submit("job", Tile())

    found = client.jobs().find(job)
    client.close()
    assert found.submitted_at.utcoffset() == timedelta()
    assert abs(found.submitted_at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.clause("2.jobs-5")
def test_progress_is_summed_over_tasks(
    client: Client, cluster: Cluster, make_slot: MakeSlot, connection: Connection
) -> None:
    """The progress bars of a job are summed over its tasks by label, those without a label as None."""
    job = client.jobs().submit("job", [Tile(), Tile()])
    for slot in (make_slot("Tile"), make_slot("Tile")):
        task = slot.claim()
        connection.execute(
            "select tbx.report_progress(%s, %s, %s, %s, %s, %s)",
            (slot.claim_id, task.job_id, task.id, ["tiles", ""], [10, 1], [4, 0]),
        )

    found = client.jobs().find(job).progress

    assert sorted(found, key=lambda bar: bar.total) == [
        ProgressIndicator(None, 2, 0),
        ProgressIndicator("tiles", 20, 8),
    ]


def test_wait_returns_when_the_job_is_over(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """wait returns the completed job as soon as another process has run its last task."""
    job = client.jobs().submit("job", Tile())
    slot = make_slot("Tile")
    finisher = threading.Timer(0.2, lambda: slot.compute(slot.claim()))
    finisher.start()

    done = job.wait(timeout=30)

    finisher.join()
    assert (done.id, done.state) == (job.id, JobState.COMPLETED)


def test_wait_for_a_failed_job_waits_for_what_runs(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """A failed job is returned, not raised, and only when none of its tasks runs any more."""
    job = client.jobs().submit("job", [Tile(), Tile()])
    slot, other = make_slot("Tile"), make_slot("Tile")
    running = other.claim()
    slot.fail(slot.claim(), "boom")

    with pytest.raises(TimeoutError, match=r"FAILED after 0\.05 s"):
        client.jobs().wait(job, timeout=0.05)
    other.compute(running)

    assert client.jobs().wait(job, timeout=5).state is JobState.FAILED


@pytest.mark.parametrize("timeout", [0.1, timedelta(seconds=0.1), 0])
def test_wait_times_out_with_the_counts(client: Client, cluster: Cluster, timeout: float | timedelta) -> None:
    """A wait that takes too long says state and counts, and the job goes on."""
    job = client.jobs().submit("job", [Tile() for _ in range(3)])
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    started = time.monotonic()

    with pytest.raises(TimeoutError, match=f"Job {job.id} is SUBMITTED after {seconds:g} s: 3 queued tasks"):
        client.jobs().wait(job.id, timeout=timeout)

    assert seconds <= time.monotonic() - started < seconds + 5
    assert client.jobs().find(job).state is JobState.SUBMITTED


@pytest.mark.parametrize("timeout", ["5", float("nan"), True, [5]])
def test_wait_refuses_what_is_no_time(client: Client, cluster: Cluster, timeout: Any) -> None:
    """A timeout that is neither a number nor a time span is refused at once."""
    job = client.jobs().submit("job", Tile())

    with pytest.raises(ArgumentError, match=r"timeout is a number of seconds, a timedelta, or None for no limit, not"):
        job.wait(timeout=timeout)


def test_a_job_is_a_value(client: Client, cluster: Cluster) -> None:
    """A job can be copied, which still knows its client, pickled without it, and made a dict."""
    job = client.jobs().find(client.jobs().submit("job", Tile()))

    copies = [copy.copy(job), copy.deepcopy(job)]
    pickled = pickle.loads(pickle.dumps(job))
    record = dataclasses.asdict(job)

    assert [*copies, pickled] == [job] * 3
    assert copies[1].progress is not job.progress
    for each in copies:
        with pytest.raises(TimeoutError):
            each.wait(timeout=0)
    with pytest.raises(ArgumentError, match=r"does not know its client; call client\.jobs\(\)\.wait\(job\) instead"):
        pickled.wait(timeout=0)
    assert (record["id"], record["name"], record["execution_stats"]["attempts"]) == (job.id, "job", 0)
    assert "client" not in str(record)


def test_wait_of_a_canceled_job_returns(client: Client, cluster: Cluster) -> None:
    """A canceled job of which nothing runs is over."""
    job = client.jobs().submit("job", Tile())
    client.jobs().cancel(job)

    assert job.wait(timeout=5).state is JobState.CANCELED


def test_run_all_and_wait(client: Client, cluster: Cluster) -> None:
    """A failing task leaves a FAILED job with its error, and run_all does not raise."""
    job = client.jobs().submit("job", Flaky())

    client.runner(tasks=[Flaky]).run_all()

    done = job.wait(timeout=5)
    (task,) = client.jobs().tasks(done)
    assert (done.state, task.state) == (JobState.FAILED, TaskState.FAILED)
    assert task.error is not None
    assert "KeyError: 'Title'" in task.error


@pytest.mark.clause("1.6-9")
def test_ids_sort_by_submission(client: Client, cluster: Cluster) -> None:
    """Job ids carry the time of submission and sort by it."""
    before = int(time.time() * 1000)

    jobs = [client.jobs().submit("job", Tile()) for _ in range(5)]

    assert [job.id for job in jobs] == sorted(job.id for job in jobs)
    assert all(before <= job.id.int >> 80 <= time.time() * 1000 for job in jobs)


def test_job_equals_its_values_not_its_client(client: Client, cluster: Cluster, ledger_url: str) -> None:
    """The same job read by two clients is equal."""
    job = client.jobs().submit("job", Tile())
    client.jobs().cancel(job)
    other = Client(url=ledger_url)

    found = client.jobs().find(job), other.jobs().find(job)

    other.close()
    assert found[0] == found[1]


def test_tree_of_subtasks_survives_paging(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """A parent with more subtasks than one page holds gets them all, in order."""
    job = client.jobs().submit("job", Tile())
    slot = make_slot("Tile")
    slot.compute(slot.claim(), subtasks(*[Tile(number) for number in range(4500)]))

    (root,) = client.jobs().tasks(job)

    assert len(root.children) == 4500
    assert [child.id for child in root.children] == sorted({child.id for child in root.children})
    assert {child.parent_id for child in root.children} == {root.id}
    assert sum(1 for _ in client.jobs().iter_tasks(job)) == 4501


def test_id_of_a_task_is_no_job(client: Client, cluster: Cluster) -> None:
    """The id of a task, passed where a job belongs, is not found."""
    job = client.jobs().submit("job", Tile())
    (task,) = client.jobs().tasks(job)

    with pytest.raises(NotFoundError):
        client.jobs().find(task)
    assert isinstance(task.id, UUID)
    assert task.id != public_task_id(0, 0)


def test_wait_without_a_client_is_explained(client: Client, cluster: Cluster) -> None:
    """A Job that was built by hand says how to wait for it."""
    from dataclasses import replace

    job = replace(client.jobs().submit("job", Tile()), _client=None)

    with pytest.raises(ArgumentError, match=r"call client\.jobs\(\)\.wait\(job\)"):
        job.wait()
