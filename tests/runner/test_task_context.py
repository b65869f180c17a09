"""What a task reaches by its context."""

import contextlib
import logging
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from diary import Diary, Step, all_tasks, attempts, states

from tilebox_celery.errors import LeaseLost
from tilebox_celery.ledger.runners import sweep
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.states import JobState
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.testing import DatabaseClock
from tilebox_celery.workflows import Client, ExecutionContext, RunnerContext, Task
from tilebox_celery.workflows.cache import InMemoryCache, LocalFileSystemCache

if TYPE_CHECKING:
    from tilebox_celery.caches import JobCache


class Put(Task):
    """Puts a value into the job cache, or finds that of an earlier task."""

    value: str

    def execute(self, context: ExecutionContext) -> None:
        cache = context.job_cache
        Diary.write(f"{self.value} finds {list(cache.group('values'))}")
        cache.group("values")[self.value] = self.value.encode()
        assert context.job_cache is cache


class Child(Task):
    """Looks at itself."""

    number: int
    word: str

    def execute(self, context: ExecutionContext) -> None:
        Seen.task = context.current_task
        Seen.is_same = context.current_task is context.current_task
        if context.current_task.attempt == 1:
            raise RuntimeError("once")


class Father(Task):
    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtask(Child(7, "seven"), max_retries=1)


class Seen:
    """What a task of this process saw."""

    task: Any = None
    is_same = False


class Displays(Task):
    """Shows itself under a text, or as it comes."""

    text: str | None

    def execute(self, context: ExecutionContext) -> None:
        Diary.write(context.current_task.display)
        if self.text is not None:
            context.current_task.display = self.text


class Tiles(Task):
    """Announces work and does a part of it on each attempt."""

    fails: int = 0

    def execute(self, context: ExecutionContext) -> None:
        attempt = context.current_task.attempt
        context.progress("tiles").add(10 * attempt)
        context.progress("tiles").done(attempt)
        context.progress().add()
        if attempt <= self.fails:
            context.progress("only the first").add(99)
            raise RuntimeError("again")


class Bars(Task):
    """Uses so many labels, and others on attempts that fail."""

    count: int
    name: str = "label"
    fails: int = 0

    def execute(self, context: ExecutionContext) -> None:
        is_failing = context.current_task.attempt <= self.fails
        for i in range(600 if is_failing else self.count):
            context.progress(f"failing {i}" if is_failing else f"{self.name} {i}").add(2)
        if is_failing:
            raise RuntimeError("again")


class OddBar(Task):
    """Has a label that no database can hold, and more than fits into any column."""

    label: str
    count: int

    def execute(self, context: ExecutionContext) -> None:
        context.progress("all").add(1)
        context.progress(self.label).add(self.count)
        context.progress("\ufffd".join(re.split("[\x00\ud800]", self.label))).add(self.count)


class Logs(Task):
    def execute(self, context: ExecutionContext) -> None:
        context.logger.bind(band="B4").info("read", clouds=0.2)
        with context.tracer.span("inner"):
            Diary.write("inside the span")


class Connections(RunnerContext):
    """Is made once for each runner."""

    made = 0

    def __init__(self) -> None:
        Connections.made += 1


class UsesContext(Task):
    def execute(self, context: ExecutionContext) -> None:
        job = context.current_task.job
        assert job is not None
        Diary.write(f"{type(context.runner_context).__name__} {job.id} {job.name}")


class Zombie(Task):
    """Outlives its lease on the first attempt, and writes on."""

    def execute(self, context: ExecutionContext) -> None:
        if context.current_task.attempt == 2:
            return
        World.expire_lease()
        deadline = time.monotonic() + 30
        try:
            while time.monotonic() < deadline:
                context.job_cache["late"] = b"1"
                time.sleep(0.01)
        except LeaseLost as error:
            Diary.write(str(error))
            raise


class World:
    """What a task of this process can do to its own lease."""

    clock: DatabaseClock
    connection: Connection

    @classmethod
    def expire_lease(cls) -> None:
        """Wait for the keeper, then let the lease end before it can renew it again."""
        lease = b"select max(until) from tbx.leases"
        first = cls.connection.execute(lease).fetchone()
        while cls.connection.execute(lease).fetchone() == first:
            time.sleep(0.02)
        cls.clock.advance(timedelta(minutes=1))
        sweep(cls.connection)  # as every worker does each second


@pytest.mark.system
def test_attempt_that_lost_its_lease_cannot_write(
    client: Client,
    cluster: Cluster,
    diary: list[str],
    clock: DatabaseClock,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once the keeper learns that the task went to others, a write into the job cache raises LeaseLost."""
    monkeypatch.setenv("TILEBOX_CELERY_HEARTBEAT", "0.5")
    World.clock, World.connection = clock, connection
    job = client.jobs().submit("zombie", Zombie())

    with contextlib.closing(Client()) as impatient:
        impatient.runner(tasks=[Zombie], cache=InMemoryCache()).run_all()

    assert diary == ["'late' was not cached: this attempt's task was given to another runner."]
    (task,) = all_tasks(client, job)
    assert [attempt.outcome for attempt in task.attempts] == ["lost", "computed"]


@pytest.mark.clause("1.3-3")
@pytest.mark.parametrize("kind", ["memory", "files"])
def test_job_cache_is_that_of_the_job(
    client: Client, cluster: Cluster, diary: list[str], kind: str, tmp_path: Path
) -> None:
    """Tasks of one job see each other's values, tasks of another job do not."""
    cache: JobCache = InMemoryCache() if kind == "memory" else LocalFileSystemCache(tmp_path)
    first = client.jobs().submit("first", [Put("a"), Put("b")])
    second = client.jobs().submit("second", Put("c"))

    client.runner(tasks=[Put], cache=cache).run_all()

    assert sorted(diary) == ["a finds []", "b finds ['a']", "c finds []"]
    assert cache[f"{first.id}/values/b"] == b"b"
    assert list(cache.group(str(second.id)).group("values")) == ["c"]


def test_without_a_cache_its_use_fails_the_task(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """A task that uses the job cache of a runner without one fails by a sentence that says what to pass."""
    job = client.jobs().submit("first", Put("a"))

    client.runner(tasks=[Put]).run_all()

    assert "No cache configured! Specify a cache using the cache argument" in str(attempts(client, job)[0].error)


@pytest.mark.clause("2.context-6")
def test_current_task_tells_all_about_itself(client: Client, cluster: Cluster) -> None:
    """A task sees its id, input, parent, job, lease, and how often it was tried."""
    job = client.jobs().submit("family", Father())

    client.runner(tasks=[Father, Child]).run_all()

    father, child = all_tasks(client, job)
    seen = Seen.task
    assert Seen.is_same
    assert (seen.id, seen.parent_id, seen.job.id) == (child.id, father.id, job.id)
    assert (seen.job.name, seen.job.trace_parent, seen.state) == ("family", job.trace_parent, "RUNNING")
    assert (str(seen.identifier), seen.input) == ("Child v0.0", b'{"number": 7, "word": "seven"}')
    assert (seen.attempt, seen.retry_count, seen.lease) == (2, 1, timedelta(seconds=30))
    assert isinstance(seen.depends_on, tuple)


@pytest.mark.clause("2.context-6")
def test_runner_context_and_job_are_at_hand(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """One instance of the context class is made for a runner, and the current task knows its job."""
    Connections.made = 0
    job = client.jobs().submit("named", [UsesContext(), UsesContext()])

    client.runner(tasks=[UsesContext], context=Connections).run_all()

    assert diary == [f"Connections {job.id} named"] * 2
    assert isinstance(job.id, UUID)
    assert Connections.made == 1


@pytest.mark.clause("1.3-4")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, "Displays"),
        ("Tile 3, 4", "Tile 3, 4"),
        ("two\nlines", "two\nlines"),
        ("x" * 2000, "x" * 1024),
        ("", "Displays"),
        ("a\x00b", "a\ufffdb"),
    ],
)
def test_display_can_be_set(client: Client, cluster: Cluster, diary: list[str], text: str | None, shown: str) -> None:
    """The display is the class's name until the task sets another, which is cut at 1024 code points."""
    job = client.jobs().submit("displays", Displays(text))

    client.runner(tasks=[Displays]).run_all()

    assert diary == ["Displays"]
    assert states(client, job) == {shown: "COMPUTED"}


@pytest.mark.clause("2.context-3")
def test_progress_of_the_last_attempt_counts(client: Client, cluster: Cluster) -> None:
    """Bars are summed over the tasks of a job; of each task only its last attempt counts."""
    job = client.jobs().submit("tiles", [Tiles(0), Tiles(1)], max_retries=1)

    client.runner(tasks=[Tiles]).run_all()

    bars = {bar.label: (bar.total, bar.done) for bar in client.jobs().find(job).progress}
    assert bars == {None: (2, 0), "tiles": (10 + 20, 1 + 2)}


@pytest.mark.clause("2.context-4")
def test_a_thousand_progress_labels(client: Client, cluster: Cluster) -> None:
    """A task may have 1000 progress labels; one more fails it by a sentence that names the number."""
    good = client.jobs().submit("good", Bars(1000))
    bad = client.jobs().submit("bad", Bars(1001))

    client.runner(tasks=[Bars]).run_all()

    assert len(client.jobs().find(good).progress) == 1000
    assert client.jobs().find(bad).state is JobState.FAILED
    assert "A task may have 1,000 progress labels" in str(attempts(client, bad)[0].error)


@pytest.mark.clause("2.context-4")
def test_progress_labels_are_counted_for_each_task(client: Client, cluster: Cluster) -> None:
    """The thousand is that of a task, on each attempt anew; a job shows the bars of all its tasks."""
    job = client.jobs().submit("job", [Bars(600, "a", 1), Bars(600, "b")], max_retries=1)

    client.runner(tasks=[Bars]).run_all()

    found = client.jobs().find(job)
    assert found.state is JobState.COMPLETED
    assert len(found.progress) == 1200


@pytest.mark.clause("2.context-3")
def test_last_attempt_counts_that_says_nothing(client: Client, cluster: Cluster) -> None:
    """Bars of an attempt that failed are gone when the next one moves none."""
    job = client.jobs().submit("job", Bars(0, "a", 1), max_retries=1)

    client.runner(tasks=[Bars]).run_all()

    found = client.jobs().find(job)
    assert (found.state, found.progress) == (JobState.COMPLETED, [])


@pytest.mark.parametrize(
    ("label", "count", "bars", "error"),
    [
        ("a\x00b", 1, {"all": 1, "a\ufffdb": 2}, ""),
        ("\ud800", 1, {"all": 1, "\ufffd": 2}, ""),
        ("big", 2**70, {"all": 1}, "A progress bar counts to 9,223,372,036,854,775,807 at most"),
    ],
)
def test_odd_progress_hurts_nobody(
    client: Client, cluster: Cluster, diary: list[str], label: str, count: int, bars: dict[str, int], error: str
) -> None:
    """A label or a number that the ledger cannot hold stops no runner and costs no other bar."""
    odd = client.jobs().submit("odd", OddBar(label, count))
    client.jobs().submit("step", Step("after"))

    client.runner(tasks=[OddBar, Step]).run_all()

    assert diary == ["after"]
    found = client.jobs().find(odd)
    assert {bar.label: bar.total for bar in found.progress if bar.total} == bars
    assert found.state is (JobState.FAILED if error else JobState.COMPLETED)
    assert error in str(attempts(client, odd)[0].error)


@pytest.mark.clause("2.context-5")
def test_logger_and_tracer_of_the_context(
    client: Client, cluster: Cluster, diary: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """context.logger takes attributes and bind(), and a span of context.tracer runs its block."""
    client.jobs().submit("logs", Logs())

    with caplog.at_level(logging.INFO, logger="tilebox_celery.workflows"):
        client.runner(tasks=[Logs]).run_all()

    assert diary == ["inside the span"]
    (record,) = [record for record in caplog.records if record.getMessage().startswith("read")]
    assert "0.2" in str(vars(record))
    assert "B4" in str(vars(record))
