"""Submitting jobs: what is stored, and what is refused with nothing written."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from celery import Celery

from tilebox_celery.client.client import Client
from tilebox_celery.errors import ArgumentError, InputError, NotFoundError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.states import JobState, TaskState
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings
from tilebox_celery.workflows import ExecutionContext, Task


class Greet(Task):
    name: str

    def execute(self, context: ExecutionContext) -> None:
        pass


class Measure(Task):
    value: float = 0.0
    anything: Any = None

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "tests/Measure", "v1.3"


def stored(connection: Connection) -> tuple[int, int]:
    """Count jobs and tasks."""
    row = connection.execute("select (select count(*) from tbx.jobs), (select count(*) from tbx.tasks)").fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.clause("1.6-1", "1.6-15")
def test_submit_stores_a_job(client: Client, cluster: Cluster) -> None:
    """A submitted job has an id, a name and a trace, and can be found as it was submitted."""
    job = client.jobs().submit("my-job", Greet("World"), cluster.slug, max_retries=2)

    found = client.jobs().find(job.id)
    assert (found.id, found.name, found.trace_parent) == (job.id, "my-job", job.trace_parent)
    assert (found.state, found.canceled, found.completed) == (JobState.SUBMITTED, False, False)
    assert found.execution_stats.tasks_by_state[TaskState.QUEUED] == 1
    assert isinstance(job.id, UUID)
    assert len(job.trace_parent) == 55


def test_submitted_task_is_stored_as_written(client: Client, cluster: Cluster, connection: Connection) -> None:
    """Input, identifier, retries and display of a root task reach the ledger unchanged."""
    client.jobs().submit("my-job", Measure(1.5, ["ü", None]), max_retries=3)

    row = connection.execute(
        "select convert_from(t.input, 'utf8'), r.name, r.major, r.minor, t.max_retries, t.display"
        " from tbx.tasks t join tbx.routes r on r.id = t.route_id"
    ).fetchone()
    assert row == ('{"value": 1.5, "anything": ["\\u00fc", null]}', "tests/Measure", 1, 3, 3, "Measure")


@pytest.mark.clause("1.6-2")
def test_several_roots_are_one_job(client: Client, cluster: Cluster) -> None:
    """Several root tasks become one job whose tasks are listed in the order of submission."""
    job = client.jobs().submit("roots", [Greet(name) for name in "abc"], cluster)

    tasks = client.jobs().tasks(job)
    assert [task.display for task in tasks] == ["Greet"] * 3
    assert [task.id for task in tasks] == sorted(task.id for task in tasks)
    assert client.jobs().find(job).execution_stats.total_tasks == 3


@pytest.mark.clause("1.6-3", "1.6-4", "1.7-5")
def test_each_root_may_have_its_own_cluster(client: Client, cluster: Cluster) -> None:
    """One cluster for each root, as slug or as Cluster, puts each root where it belongs."""
    other = client.clusters().create("other")

    job = client.jobs().submit("two places", [Greet("a"), Greet("b")], [cluster, other.slug])

    assert [task.cluster for task in client.jobs().tasks(job)] == [cluster.slug, other.slug]


@pytest.mark.clause("1.6-3")
def test_wrong_number_of_clusters_is_refused(client: Client, cluster: Cluster, connection: Connection) -> None:
    """A number of clusters that is not that of the roots is a ValueError that says so, and nothing is stored."""
    with pytest.raises(
        ValueError, match=r"Mismatch in number of provided clusters and tasks\. .* 2 clusters for 3 tasks"
    ):
        client.jobs().submit("job", [Greet("a")] * 3, [cluster, cluster])

    assert stored(connection) == (0, 0)


@pytest.mark.clause("1.6-5", "1.7-4")
def test_unknown_cluster_is_refused(client: Client, connection: Connection) -> None:
    """Submitting to an unknown cluster names it and how to make one, and nothing is stored."""
    with pytest.raises(NotFoundError, match=r"No such cluster 'nowhere': create one with .*cluster create"):
        client.jobs().submit("job", Greet("a"), "nowhere")

    assert stored(connection) == (0, 0)


@pytest.mark.parametrize("wrong", [5, 1.5, [5], [None]])
def test_what_is_no_cluster_is_refused(client: Client, cluster: Cluster, connection: Connection, wrong: Any) -> None:
    """Something that is neither a cluster nor a slug is refused by one sentence, and nothing is stored."""
    with pytest.raises(ArgumentError, match="Expected a cluster or its slug, not"):
        client.jobs().submit("job", Greet("a"), wrong)

    assert stored(connection) == (0, 0)


def test_one_unknown_cluster_of_two_stores_nothing(client: Client, cluster: Cluster, connection: Connection) -> None:
    """A job whose second root names an unknown cluster is refused whole."""
    with pytest.raises(NotFoundError, match="nowhere"):
        client.jobs().submit("job", [Greet("a"), Greet("b")], [cluster, "nowhere"])

    assert stored(connection) == (0, 0)


@pytest.mark.clause("2.jobs-8")
def test_no_cluster_means_the_default(client: Client, cluster: Cluster) -> None:
    """Without a cluster the default one is used."""
    client.clusters().create("second")

    job = client.jobs().submit("job", Greet("a"))

    assert [task.cluster for task in client.jobs().tasks(job)] == [cluster.slug]


def test_no_cluster_at_all_is_explained(client: Client, connection: Connection) -> None:
    """In a ledger without clusters, a submission that names none says how to make the first one."""
    with pytest.raises(NotFoundError, match="no default one: name a cluster, or create the first one"):
        client.jobs().submit("job", Greet("a"))

    assert stored(connection) == (0, 0)


@pytest.mark.parametrize("in_list", [False, True])
def test_a_plain_celery_task_is_refused_with_the_call_that_takes_it(client: Client, in_list: bool) -> None:
    """A task, its class, and its signature; alone and in a list."""
    app = Celery("proj", set_as_current=False)

    @app.task(name="proj.tasks.add", shared=False)
    def add(x: int, y: int) -> int:
        return x + y

    for given, kind, call in (
        (add, "task", "add.s(...)"),
        (app.tasks["proj.tasks.add"], "task", "add.s(...)"),
        (type(app.tasks["proj.tasks.add"]), "task", "add.s(...)"),
        (add.s(1, 2), "signature", "signature"),
    ):
        with pytest.raises(TypeError) as caught:
            client.jobs().submit("z", [given] if in_list else given)

        assert str(caught.value) == (
            f"proj.tasks.add is a plain Celery {kind}, not an instance of a Task class: "
            f'use jobs.submit_canvas("z", {call}).'
        )


@pytest.mark.parametrize(
    ("roots", "error", "message"),
    [
        (Greet, TypeError, "not the class Greet"),
        ("Greet", TypeError, "takes a task, such as MyTask"),
        (7, TypeError, "not 7"),
        ([Greet("a"), 7], TypeError, "int is not a task"),
        ([Greet], TypeError, "Greet is a task class; submit an instance"),
        ([], ArgumentError, "at least one root task"),
        (Measure(float("nan")), InputError, "'value'"),
        (Measure(1.0, object()), InputError, "'anything'"),
    ],
)
def test_what_cannot_be_submitted_is_named(
    client: Client, cluster: Cluster, connection: Connection, roots: Any, error: type[Exception], message: str
) -> None:
    """What is no task, or holds what JSON cannot, is refused by name, and nothing is stored."""
    with pytest.raises(error, match=message):
        client.jobs().submit("job", roots)

    assert stored(connection) == (0, 0)


@pytest.mark.parametrize("name", ["", "  ", 7, None, "x" * 1025])
def test_job_name_is_checked(client: Client, cluster: Cluster, connection: Connection, name: Any) -> None:
    """A job name that is empty, too long or no text is refused."""
    with pytest.raises(ArgumentError, match="A job needs a name of 1 to 1024 characters"):
        client.jobs().submit(name, Greet("a"))

    assert stored(connection) == (0, 0)


@pytest.mark.parametrize("max_retries", [-1, 1.5, "2", True])
def test_retries_are_checked(client: Client, cluster: Cluster, max_retries: Any) -> None:
    """A number of retries that is no whole number of 0 or more is refused."""
    with pytest.raises(ArgumentError, match="max_retries must be a whole number"):
        client.jobs().submit("job", Greet("a"), max_retries=max_retries)


def test_large_input_is_refused(ledger_url: str, cluster: Cluster, connection: Connection) -> None:
    """An input over the limit says its size, the limit and what to do, and nothing is stored."""
    client = Client(settings=Settings(ledger_url=ledger_url, max_input_bytes=1000))

    with pytest.raises(InputError, match=r"task Greet has 1,002 bytes, more than 1,000: pass a reference"):
        client.jobs().submit("job", [Greet("small"), Greet("x" * 1000)])

    client.close()
    assert stored(connection) == (0, 0)


@pytest.mark.parametrize("name", ["line\nbreak", "'; drop table tbx.jobs; --", "𝄞" * 1024])
def test_any_name_can_be_stored(client: Client, cluster: Cluster, name: str) -> None:
    """Any text that Postgres can hold is a job name."""
    job = client.jobs().submit(name, Greet("a"))

    assert client.jobs().find(job).name == name


def test_limit_bounds_roots(client: Client, cluster: Cluster) -> None:
    """Roots under one limit become ready one by one."""
    job = client.jobs().submit("job", [Greet("a"), Greet("b")], limit=("disk", 1))

    reasons = [why.reason for why in client.jobs().why(job)]
    assert "limit 'disk' is full (1 of 1)" in reasons[1]
    assert "limit" not in reasons[0]


def test_submit_returns_what_find_returns(client: Client, cluster: Cluster) -> None:
    """The job that submit returns is the stored one, and a query for its time finds it."""
    job = client.jobs().submit("a \N{SATELLITE} job", Greet("a"))

    assert client.jobs().find(job) == replace(job, execution_stats=client.jobs().find(job).execution_stats)
    assert client.jobs().query(temporal_extent=job.submitted_at) == [client.jobs().find(job)]


@pytest.mark.parametrize("name", ["a\x00b", "a\ud800b", "\udcff"])
def test_job_names_that_cannot_be_stored_are_refused(
    client: Client, cluster: Cluster, connection: Connection, name: str
) -> None:
    """A name with a NUL or half of a character is refused: it would come back as another one."""
    with pytest.raises(ArgumentError, match="holds what no database can: a NUL, or half of a character"):
        client.jobs().submit(name, Greet("a"))

    assert stored(connection) == (0, 0)


def test_cluster_deleted_behind_the_cache(client: Client, ledger_url: str, connection: Connection) -> None:
    """A client that knew a cluster learns at the next submit that another one has deleted it."""
    gone = client.clusters().create("gone").slug
    client.jobs().submit("first", Greet("a"), gone)
    client.runner(gone, tasks=[Greet]).run_all()
    other = Client(url=ledger_url)
    other.clusters().delete(gone)

    with pytest.raises(NotFoundError, match=gone):
        client.jobs().submit("second", Greet("a"), gone)

    other.close()
    assert stored(connection) == (1, 1)


def test_default_cluster_deleted_behind_the_cache(client: Client, cluster: Cluster, ledger_url: str) -> None:
    """A client goes on with the new default cluster when another one has replaced the old one."""
    client.jobs().submit("first", Greet("a"))
    client.runner(tasks=[Greet]).run_all()
    other = Client(url=ledger_url)
    other.clusters().delete(cluster)
    new = other.clusters().create("new")

    job = client.jobs().submit("second", Greet("a"))

    other.close()
    assert [task.cluster for task in client.jobs().tasks(job)] == [new.slug]


def test_threads_share_a_client(client: Client, cluster: Cluster, connection: Connection) -> None:
    """Threads that submit through one client at once store every job once."""
    failed: list[BaseException] = []

    def submit() -> None:
        try:
            for number in range(20):
                client.jobs().submit(f"job {number}", Greet("a"))
        except BaseException as error:  # shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert stored(connection) == (80, 80)


def resident_bytes(peak: bool) -> int:
    """Return what this process holds in memory, or held at most."""
    name = "VmHWM" if peak else "VmRSS"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def test_many_roots_take_little_memory(client: Client, cluster: Cluster, connection: Connection) -> None:
    """Submitting 100,000 roots needs less than 50 MB beyond the tasks themselves."""
    client.jobs().submit("first", Greet("a"))
    tasks = [Greet("World") for _ in range(100_000)]
    Path("/proc/self/clear_refs").write_text("5")  # starts the peak anew
    before = resident_bytes(peak=False)

    client.jobs().submit("big", tasks)

    assert resident_bytes(peak=True) - before < 50_000_000
    assert stored(connection) == (2, 100_001)
