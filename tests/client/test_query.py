"""Listing jobs: every filter, their combination, and pages."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from slots_by_hand import MakeSlot, subtasks

from tilebox_celery.client.client import Client
from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.model.states import JobState, TaskState
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.workflows import Task


class Tile(Task):
    pass


class Local(Task):
    pass


def names(jobs: list[Job]) -> list[str]:
    """Return the names of jobs."""
    return [job.name for job in jobs]


@pytest.fixture
def jobs_in_all_states(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """One job in each state, named after it."""
    jobs = client.jobs()
    slot = make_slot("Tile")
    jobs.submit("completed", [Tile(), Tile()])
    slot.compute(slot.claim())
    slot.compute(slot.claim())
    jobs.submit("failed", [Tile(), Tile()])
    slot.fail(slot.claim(), "boom")
    jobs.cancel(jobs.submit("canceled", Tile()))
    started = jobs.submit("started", [Tile(), Tile()])
    slot.compute(slot.claim())
    jobs.cancel(started)  # so that the next claim takes another job
    jobs.submit("running", [Tile(), Tile()])
    slot.claim()
    jobs.retry(started)
    jobs.submit("submitted", Tile())


def test_query_returns_all_jobs_newest_first(client: Client, cluster: Cluster) -> None:
    """Without a filter all jobs come, the newest first, as find shows them."""
    submitted = [client.jobs().submit(f"job {number}", Tile()) for number in range(3)]

    found = client.jobs().query()

    assert [job.id for job in found] == [job.id for job in reversed(submitted)]
    assert found[0] == client.jobs().find(submitted[-1])


@pytest.mark.clause("2.jobs-1", "2.jobs-6")
@pytest.mark.usefixtures("jobs_in_all_states")
@pytest.mark.parametrize("state", list(JobState))
def test_query_by_state(client: Client, state: JobState) -> None:
    """Each state finds the one job that is in it, whose own state is the same."""
    found = client.jobs().query(job_states=state)

    assert names(found) == [state.lower()]
    assert found[0].state is state


@pytest.mark.clause("2.jobs-1")
@pytest.mark.usefixtures("jobs_in_all_states")
def test_query_by_several_filters(client: Client) -> None:
    """States may be given as texts, several at once, and together with other filters."""
    jobs = client.jobs()

    assert set(names(jobs.query(job_states=["failed", JobState.COMPLETED]))) == {"failed", "completed"}
    assert names(jobs.query(job_states=["FAILED", "COMPLETED"], name="comp")) == ["completed"]
    assert names(jobs.query(job_states=JobState.FAILED, task_states=TaskState.COMPUTED)) == []
    assert names(jobs.query(job_states=[])) == []


@pytest.mark.clause("2.jobs-1")
@pytest.mark.usefixtures("jobs_in_all_states")
def test_query_by_task_state(client: Client) -> None:
    """Jobs are found by the states of their tasks; several states mean any of them."""
    jobs = client.jobs()

    assert names(jobs.query(task_states=TaskState.RUNNING)) == ["running"]
    assert names(jobs.query(task_states="FAILED")) == ["failed"]
    assert set(names(jobs.query(task_states=[TaskState.COMPUTED, TaskState.FAILED]))) == {
        "completed",
        "started",
        "failed",
    }
    assert names(jobs.query(task_states=TaskState.SKIPPED)) == []


@pytest.mark.clause("2.jobs-2")
def test_query_by_part_of_the_name(client: Client, cluster: Cluster) -> None:
    """A name is found by its words, in any order and case, and wildcards mean themselves."""
    for name in ("Daily mosaic Vienna", "daily report", "100% mosaic", "a_b", "axb"):
        client.jobs().submit(name, Tile())

    def find(name: str) -> set[str]:
        return set(names(client.jobs().query(name=name)))

    assert find("vienna DAILY") == {"Daily mosaic Vienna"}
    assert find("mosaic") == {"Daily mosaic Vienna", "100% mosaic"}
    assert find("0%") == {"100% mosaic"}
    assert find("a_b") == {"a_b"}
    assert find("Vienna report") == set()
    assert len(find("")) == 5


@pytest.mark.clause("2.jobs-1")
def test_query_by_cluster(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """Jobs are found by the clusters of any of their tasks, given as slugs or clusters."""
    other = client.clusters().create("other")
    client.jobs().submit("here", Tile())
    client.jobs().submit("there", Local(), other)
    slot = make_slot("Tile")
    work = subtasks()
    work.submit_subtask(Local(), cluster=other)
    slot.compute(slot.claim(), work)

    jobs = client.jobs()
    assert names(jobs.query(clusters=cluster)) == ["here"]
    assert set(names(jobs.query(clusters=other.slug))) == {"here", "there"}
    assert set(names(jobs.query(clusters=[cluster, other]))) == {"here", "there"}
    assert names(jobs.query(clusters=["nowhere", "a\0b"])) == []


@pytest.mark.clause("2.jobs-1")
def test_query_by_time(client: Client, cluster: Cluster, connection: Connection) -> None:
    """Jobs are found by when they were submitted: the start belongs to the interval, the end does not."""
    for day in range(1, 6):
        job = client.jobs().submit(f"day {day}", Tile())
        connection.execute(
            "update tbx.jobs set submitted_at = %s where uuid = %s", (datetime(2024, 8, day, tzinfo=UTC), job.id)
        )

    def find(extent: Any) -> list[str]:
        return [name[-1] for name in reversed(names(client.jobs().query(extent)))]

    assert find(("2024-08-02", "2024-08-04")) == ["2", "3"]
    assert find((datetime(2024, 8, 2), datetime(2024, 8, 4, 1, tzinfo=UTC))) == ["2", "3", "4"]  # naive is UTC
    assert find((None, "2024-08-02T00:00:00Z")) == ["1"]
    assert find(["2024-08-05", None]) == ["5"]
    assert find("2024-08-03") == ["3"]
    interval = SimpleNamespace(
        start=datetime(2024, 8, 2, tzinfo=UTC),
        end=datetime(2024, 8, 4, tzinfo=UTC),
        start_exclusive=True,
        end_inclusive=True,
    )
    assert find(interval) == ["3", "4"]


def test_query_in_pages(client: Client, cluster: Cluster, connection: Connection) -> None:
    """limit and after give pages that together are the whole list, also among jobs of one instant."""
    for number in range(7):
        client.jobs().submit(str(number), Tile())
    connection.execute("update tbx.jobs set submitted_at = date_trunc('minute', submitted_at)")
    jobs = client.jobs()

    first = jobs.query(limit=3)
    second = jobs.query(limit=3, after=first[-1])
    third = jobs.query(limit=3, after=str(second[-1].id))

    assert names(first + second + third) == ["6", "5", "4", "3", "2", "1", "0"]
    assert jobs.query(limit=0) == []


def test_query_reads_on_beyond_one_page(client: Client, cluster: Cluster, connection: Connection) -> None:
    """Without a limit, all of more jobs than one page holds come, each once."""
    client.jobs().submit("first", Tile())
    connection.execute(
        "insert into tbx.jobs (uuid, name, trace_parent, submitted_at)"
        " select gen_random_uuid(), 'job ' || n, '', now() - n * interval '1 second' from generate_series(1, 450) n"
    )

    found = client.jobs().query()

    assert names(found) == ["first", *(f"job {number}" for number in range(1, 451))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"job_states": "DONE"}, "job_states must be of SUBMITTED, RUNNING"),
        ({"job_states": 7}, "job_states must be of"),
        ({"task_states": ["QUEUED", "LOST"]}, "task_states must be of QUEUED, RUNNING"),
        ({"name": 7}, "name must be a text"),
        ({"clusters": [7]}, "Expected a cluster or its slug"),
        ({"temporal_extent": ("yesterday", None)}, "temporal_extent holds 'yesterday'"),
        ({"temporal_extent": 7}, "temporal_extent must be a pair"),
        ({"temporal_extent": ("2024-08-01", "2024-08-02", "2024-08-03")}, "temporal_extent must be a pair"),
        ({"automation_ids": ["x"]}, "automations come with a later version"),
        ({"limit": -1}, "limit must be a whole number"),
        ({"limit": 1.5}, "limit must be a whole number"),
        ({"after": "x"}, "Invalid id 'x'"),
    ],
)
def test_wrong_filters_are_named(client: Client, arguments: dict[str, Any], message: str) -> None:
    """A filter that cannot be used is refused by its name."""
    with pytest.raises(ArgumentError, match=message):
        client.jobs().query(**arguments)


def test_time_zone_of_a_filter_counts(client: Client, cluster: Cluster) -> None:
    """An aware datetime of another zone means its instant."""
    from zoneinfo import ZoneInfo

    job = client.jobs().submit("job", Tile())
    local = job.submitted_at.astimezone(ZoneInfo("Asia/Kolkata"))

    assert names(client.jobs().query((local - timedelta(minutes=1), local + timedelta(minutes=1)))) == ["job"]
