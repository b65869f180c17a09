"""Runners as the client hands them out, and the Runner that is put together before there is a client."""

import re
from datetime import timedelta
from typing import Any

import kombu
import pytest

from tilebox_celery.client.client import Client
from tilebox_celery.dispatch.app import queue_name
from tilebox_celery.embedded import Stack
from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.ledger import runners
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.states import JobState
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings
from tilebox_celery.workflows import ExecutionContext, Runner, RunnerContext, Task
from tilebox_celery.workflows.cache import InMemoryCache


class Connections(RunnerContext):
    """Shared by the tasks of a runner."""

    def __init__(self) -> None:
        self.seen: list[str] = []


class Note(Task):
    text: str

    def execute(self, context: ExecutionContext) -> None:
        context.runner_context.seen.append(self.text)
        context.job_cache["notes"] = ",".join(context.runner_context.seen).encode()
        context.current_task.display = self.text * 1000


class Empty(Task):
    """Has nothing to execute."""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"concurrency": 0}, "concurrency must be a whole number of 1 or more, not 0"),
        ({"concurrency": -1}, "not -1"),
        ({"concurrency": "x", "pool": "threads"}, "not 'x'"),
        ({"concurrency": True}, "not True"),
        ({"pool": "foo"}, "pool must be 'solo', 'prefork' or 'threads', not 'foo'"),
        ({"pool": None}, "not None"),
        ({"concurrency": 2}, "The pool 'solo' runs one task at a time, not 2: choose pool='prefork'"),
    ],
)
def test_run_forever_refuses_what_no_pool_can_do(
    client: Client, cluster: Cluster, arguments: dict[str, Any], sentence: str
) -> None:
    """A pool that does not exist, or cannot run so many tasks, is refused by one sentence before anything starts."""
    with pytest.raises(ArgumentError, match=re.escape(sentence)):
        client.runner(tasks=[Note]).run_forever(**arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"cache": "cache"}, "cache takes a job cache, such as LocalFileSystemCache('cache'), not 'cache'."),
        ({"cache": InMemoryCache}, "cache takes a job cache, such as LocalFileSystemCache('cache'), not the class InM"),
        ({"context": Connections()}, "context takes a class, which is made once for the runner, not <"),
        ({"context": 5}, "context takes a class, which is made once for the runner, not 5."),
        ({"tasks": Note}, "tasks takes a list of task classes, such as [MyTask], not Note."),
        ({"tasks": 5}, "tasks takes a list of task classes, such as [MyTask], not 5."),
        ({"tasks": "Note"}, "tasks takes a list of task classes, such as [MyTask], not 'Note'."),
    ],
)
def test_a_runner_refuses_what_it_cannot_use(
    client: Client, cluster: Cluster, arguments: dict[str, Any], sentence: str
) -> None:
    """A cache, a context or tasks that are none are refused by one sentence when the runner is made."""
    for make in (client.runner, Runner):
        with pytest.raises(TypeError, match=re.escape(sentence)):
            make(**arguments)


@pytest.mark.clause("1.1-8")
def test_one_client_hands_out_everything_of_one_ledger(client: Client) -> None:
    """jobs(), clusters() and runner() of one client work on one ledger."""
    cluster = client.clusters().create("mine")
    job = client.jobs().submit("job", Note("a"), cluster)

    client.runner(cluster, tasks=[Note], cache=InMemoryCache(), context=Connections).run_all()

    assert client.jobs().find(job).state is JobState.COMPLETED


@pytest.mark.clause("2.client-2")
def test_runner_of_the_default_and_of_an_unknown_cluster(client: Client, cluster: Cluster) -> None:
    """Without a cluster a runner is that of the default one; an unknown one fails when the runner is made."""
    client.clusters().create("other")

    runner = client.runner(tasks=[Note])

    assert runner.cluster == cluster.slug
    with pytest.raises(NotFoundError, match="No such cluster 'nowhere'"):
        client.runner("nowhere", tasks=[Note])


@pytest.mark.clause("2.client-3")
def test_tasks_share_the_runner_context(client: Client, cluster: Cluster) -> None:
    """All tasks of a runner see one instance of its context class."""
    job = client.jobs().submit("job", [Note("a"), Note("b")])
    cache = InMemoryCache()

    client.runner(tasks=[Note], cache=cache, context=Connections).run_all()

    assert cache.group(str(job.id))["notes"] == b"a,b"


@pytest.mark.clause("2.runner-1")
def test_runner_is_made_before_its_client(client: Client, cluster: Cluster) -> None:
    """A Runner takes tasks at its making and later, and runs them once it is connected to a client."""
    runner = Runner(cache=InMemoryCache(), context=Connections)
    runner.register(Note)
    job = client.jobs().submit("job", Note("a"))

    connected = runner.connect_to(client, cluster)
    connected.run_all()

    assert connected.cluster == cluster.slug
    assert client.jobs().find(job).state is JobState.COMPLETED


def test_runner_refuses_what_it_cannot_run() -> None:
    """A Runner refuses at once two classes with one identifier, a class without execute, and what is no task."""

    class Other(Task):
        @staticmethod
        def identifier() -> tuple[str, str]:
            return "Note", "v0.0"

        def execute(self, context: ExecutionContext) -> None:
            pass

    with pytest.raises(ValueError, match="Two tasks are registered as 'Note'"):
        Runner(tasks=[Note, Other])
    with pytest.raises(ValueError, match="Empty is not executable"):
        Runner(tasks=[Empty])
    with pytest.raises(TypeError, match="is not a task"):
        Runner().register(int)


@pytest.mark.clause("1.6-14")
def test_display_is_cut_and_may_have_lines(client: Client, cluster: Cluster) -> None:
    """A display that a task sets keeps its line breaks and is stored up to 1024 code points."""
    job = client.jobs().submit("job", Note("𝄞\n"))

    client.runner(tasks=[Note], cache=InMemoryCache(), context=Connections).run_all()

    (task,) = client.jobs().tasks(job)
    assert task.display == ("𝄞\n" * 1000)[:1024]


def test_submit_sends_wake_ups_to_the_broker(
    stack: Stack, ledger_url: str, cluster: Cluster, connection: Connection
) -> None:
    """A runner that wants messages finds one in its queue after a submit, and a missing broker disturbs nobody."""
    runner_id = runners.register_runner(
        connection,
        cluster.slug,
        [TaskIdentifier("Note")],
        name="r",
        host="h",
        pid=1,
        code_version="0",
        wake_by="broker",
        slots=2,
    )
    for number in range(2):
        runners.register_slot(connection, runner_id, number, 1, timedelta(seconds=30), busy=False)
    with_broker = Client(settings=Settings(ledger_url=ledger_url, broker_url=stack.broker_url))
    without = Client(settings=Settings(ledger_url=ledger_url))

    with_broker.jobs().submit("told", Note("a"))
    without.jobs().submit("not told", Note("b"))

    with kombu.Connection(stack.broker_url) as broker, broker.channel() as channel:
        waiting = channel.queue_declare(queue_name(runner_id), passive=False).message_count
    with_broker.close()
    without.close()
    assert waiting == 1
    assert connection.execute("select count(*) from tbx.slots where state = 'woken'").fetchone() == (2,)
