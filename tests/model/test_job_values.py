"""What a client gets back about jobs and clusters."""

import re
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.job import Cluster, ExecutionStats, Job, ProgressIndicator, TaskView, Why, new_cluster_slug
from tilebox_celery.model.states import JobState, TaskState

JOB = Job(
    UUID("018dd029-58ca-7000-8000-000000000005"),
    "mosaic",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    JobState.STARTED,
    datetime(2024, 2, 22, 9, 33, 7, tzinfo=UTC),
)


@pytest.mark.clause("1.6-15")
def test_job_fields() -> None:
    """A job has id, name, trace_parent, state, completed and canceled, and cannot be changed."""
    assert (JOB.name, JOB.state, JOB.completed, JOB.canceled) == ("mosaic", "STARTED", False, False)
    assert replace(JOB, state=JobState.COMPLETED).completed
    with pytest.raises(FrozenInstanceError):
        JOB.name = "other"  # type: ignore[misc] # the mistake under test


def test_job_waits_through_its_client() -> None:
    """job.wait hands itself and the timeout to the client that made it, which is no part of its value."""
    done = replace(JOB, state=JobState.COMPLETED)
    calls: list[Any] = []

    class Jobs:
        def wait(self, job: Job, timeout: float | timedelta | None = None) -> Job:
            calls.append((job, timeout))
            return done

    bound = replace(JOB, _client=Jobs())

    assert bound.wait(3) is done
    assert calls == [(bound, 3)]
    assert bound == JOB
    assert repr(bound) == repr(JOB)


def test_job_without_client() -> None:
    """A job that was made by hand says how to wait for it."""
    with pytest.raises(ArgumentError, match=r"call client\.jobs\(\)\.wait\(job\) instead"):
        JOB.wait()


def test_card_is_escaped() -> None:
    """The notebook card shows state, times in UTC, counts and progress, and names cannot bring markup."""
    job = replace(
        JOB,
        name="<script>alert(1)</script>",
        submitted_at=JOB.submitted_at.astimezone(timezone(timedelta(hours=2))),
        progress=[ProgressIndicator("<b>tiles", 10, 3), ProgressIndicator(None, 1, 1)],
        execution_stats=ExecutionStats({TaskState.QUEUED: 1200, TaskState.FAILED_OPTIONAL: 1, TaskState.FAILED: 0}),
    )

    card = job._repr_html_()

    assert "<script" not in card
    assert "&lt;script&gt;alert(1)" in card
    assert "&lt;b&gt;tiles" in card
    assert "2024-02-22 09:33:07 UTC" in card
    assert "1,200 queued, 1 failed optional<" in card
    assert "3 of 10" in card


def test_statistics() -> None:
    """Total and parallelism follow from counts and times, and are 0 for a job that has not started."""
    stats = ExecutionStats(
        {TaskState.COMPUTED: 3, TaskState.QUEUED: 2}, elapsed=timedelta(seconds=2), compute_time=timedelta(seconds=5)
    )

    assert (stats.total_tasks, stats.parallelism) == (5, 2.5)
    assert (ExecutionStats().total_tasks, ExecutionStats().parallelism) == (0, 0.0)


def test_why_reads_as_a_sentence() -> None:
    """The reason why a task does not run is printed behind its name."""
    assert str(Why(JOB.id, "Tile", "waits for Mosaic")) == "Tile: waits for Mosaic"


@pytest.mark.clause("1.7-2")
def test_tasks_print_as_a_tree() -> None:
    """A task reads as the lines of its subtree, however deep, and its representation does not repeat that."""

    def view(display: str, state: TaskState, *children: TaskView) -> TaskView:
        identifier = TaskIdentifier("Tile", "v0.0")
        return TaskView(UUID(int=1), identifier, display, state, "dev", datetime.now(UTC), children=list(children))

    deep = failed = view("Tile 1\nKeyError('x')", TaskState.FAILED)
    for level in range(5000):
        deep = view(f"level {level}", TaskState.COMPUTED, deep)
    tree = view("Mosaic", TaskState.COMPUTED, failed, view("Join", TaskState.QUEUED))

    assert str(tree) == "Mosaic COMPUTED\n  Tile 1 FAILED\n  Join QUEUED"
    assert str(deep).splitlines()[-1].strip() == "Tile 1 FAILED"
    assert "level 4998" not in repr(deep)


def test_cluster_print() -> None:
    """A cluster prints slug and display name only."""
    cluster = Cluster("testing-CvufcSxcC9SKfe", "testing", description="for tests", deletable=False)

    assert repr(cluster) == "Cluster(slug='testing-CvufcSxcC9SKfe', display_name='testing')"
    assert str(cluster) == repr(cluster)


@pytest.mark.clause("1.7-1")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Production", "production"),
        ("testing", "testing"),
        ("Near  Real_Time!", "near-real-time"),
        ("日本", "cluster"),
        ("x" * 128, "x" * 128),
    ],
)
def test_cluster_slugs(name: str, words: str) -> None:
    """A slug is the name in lower case, a dash, and 14 letters and digits that differ each time."""
    slugs = {new_cluster_slug(name) for _ in range(20)}

    assert len(slugs) == 20
    assert all(re.fullmatch(rf"{words}-[A-Za-z0-9]{{14}}", slug) for slug in slugs)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00", "x" * 129])
def test_wrong_cluster_names(name: str) -> None:
    """A cluster name must be printable and not too long."""
    with pytest.raises(ArgumentError, match="A cluster needs a printable name of 1 to 128 characters"):
        new_cluster_slug(name)
