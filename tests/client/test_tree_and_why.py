"""The tree of a job's tasks, and the reasons why tasks wait."""

from datetime import timedelta

import pytest
from slots_by_hand import MakeSlot, subtasks

from tilebox_celery.client.client import Client
from tilebox_celery.ledger import runners
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.model.states import TaskState
from tilebox_celery.model.submission import SubtaskCollector
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.workflows import Task


class Root(Task):
    pass


class Tile(Task):
    number: int = 0

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "tests/Tile", "v1.3"


class Mosaic(Task):
    pass


def reasons(client: Client, job: Job) -> list[str]:
    """Return why the tasks of a job wait."""
    return [why.reason for why in client.jobs().why(job)]


def test_each_outcome_of_an_attempt_is_shown(
    client: Client, cluster: Cluster, make_slot: MakeSlot, connection: Connection
) -> None:
    """Attempts are given back, lost, failed, computed or still run; only reported ones say when user code began."""
    job = client.jobs().submit("job", Root(), max_retries=1)
    first, second = make_slot("Root", name="first"), make_slot("Root", name="second")
    held = first.claim()
    first.calls.give_back(first.claim_id, [held], "the runner stops")
    held = first.claim()
    runners.slot_lost(connection, first.slot_id, (held.job_id, held.id), "its process was killed")
    second.fail(second.claim(), "KeyError")
    second.compute(second.claim())
    running = client.jobs().submit("runs", Root())
    second.claim()

    attempts = [task.attempts for task in (*client.jobs().tasks(job), *client.jobs().tasks(running))]

    assert [[each.outcome for each in some] for some in attempts] == [
        ["given_back", "lost", "failed", "computed"],
        [None],
    ]
    assert [each.started_at is not None for each in attempts[0]] == [False, False, True, True]
    assert all(each.claimed_at <= each.finished_at for each in attempts[0] if each.finished_at)


@pytest.mark.clause("2.jobs-10", "2.tasks-1")
def test_tree_shows_attempts_runners_and_dependencies(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """The tree holds each task with its state, attempts, runner, times, error, parent and dependencies."""
    job = client.jobs().submit("job", Root(), max_retries=1)
    slot = make_slot("Root", "tests/Tile v1.3", "Mosaic", name="the-runner")
    slot.fail(slot.claim(), "Traceback ...\nKeyError: 'band'")
    work = subtasks(Tile(1), Tile(2))
    work.submit_subtask(Mosaic(), depends_on=work.futures[:2], optional=True, max_retries=5)
    slot.compute(slot.claim(), work, display="Root of all")
    slot.claim()

    (root,) = client.jobs().tasks(job)

    assert (root.display, root.state, root.cluster, root.parent_id) == (
        "Root of all",
        TaskState.COMPUTED,
        cluster.slug,
        None,
    )
    assert [(each.number, each.runner, each.outcome) for each in root.attempts] == [
        (1, "the-runner", "failed"),
        (2, "the-runner", "computed"),
    ]
    assert root.attempts[0].error == "Traceback ...\nKeyError: 'band'"
    assert (root.attempts[1].cpu_seconds, root.attempts[1].peak_rss_bytes) == (0.1, 50_000_000)
    assert root.attempts[1].started_at == root.started_at == root.attempts[1].claimed_at + timedelta(milliseconds=1)
    assert root.finished_at == root.started_at + timedelta(milliseconds=250)
    assert (root.runner, root.error) == ("the-runner", None)
    first, second, mosaic = root.children
    assert (str(first.identifier), first.display, first.state) == ("tests/Tile v1.3", "Tile", TaskState.RUNNING)
    assert [(each.number, each.runner, each.outcome) for each in first.attempts] == [(1, "the-runner", None)]
    assert (first.started_at, first.finished_at) == (first.attempts[0].claimed_at, None)
    assert (second.state, second.attempts, second.runner) == (TaskState.QUEUED, [], None)
    assert mosaic.depends_on == [first.id, second.id]
    assert (mosaic.optional, mosaic.max_retries, mosaic.parent_id) == (True, 5, root.id)
    assert first.depends_on == root.depends_on == []


def test_error_of_the_last_attempt_is_shown(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """A task that failed and is queued again shows why, and its times only in the attempt."""
    job = client.jobs().submit("job", Root(), max_retries=1)
    slot = make_slot("Root")
    slot.fail(slot.claim(), "boom")

    (root,) = client.jobs().tasks(job)

    assert (root.state, root.error, root.started_at, root.finished_at) == (TaskState.QUEUED, "boom", None, None)
    assert root.attempts[0].finished_at is not None


def test_interleaved_dependencies_are_exact(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """Dependencies between single siblings, submitted in any order, come back exactly as they were said."""
    job = client.jobs().submit("job", Root())
    slot = make_slot("Root")
    work = SubtaskCollector()
    said: list[list[int]] = []
    for number in range(30):
        needs = sorted({index for index in (number - 1, number - 7, number // 2) if 0 <= index < number and number % 3})
        said.append(needs)
        work.submit_subtask(Tile(number), depends_on=[work.futures[index] for index in needs])
    slot.compute(slot.claim(), work)

    (root,) = client.jobs().tasks(job)

    ids = [child.id for child in root.children]
    assert [[ids.index(each) for each in child.depends_on] for child in root.children] == said
    assert any(len(needs) == 3 for needs in said)


def test_many_attempts_of_one_task_are_in_order(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """The attempts of a task are listed in the order in which they ended."""
    job = client.jobs().submit("job", Root(), max_retries=20)
    slot = make_slot("Root")
    for number in range(10):
        slot.fail(slot.claim(), f"error {number}")

    (root,) = client.jobs().tasks(job)

    assert [each.error for each in root.attempts] == [f"error {number}" for number in range(10)]
    assert [each.number for each in root.attempts] == list(range(1, 11))


def test_why_waits_for_dependencies(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """A blocked task names what it waits for: one task by its display, several by an example and their number."""
    job = client.jobs().submit("job", Root())
    slot = make_slot("Root", "tests/Tile v1.3", "Mosaic")
    work = subtasks(Tile(1), Tile(2), Tile(3))
    mosaic = work.submit_subtask(Mosaic(), depends_on=work.futures[:3])
    work.submit_subtask(Mosaic(), depends_on=mosaic)
    slot.compute(slot.claim(), work)

    before = reasons(client, job)
    for _ in range(2):
        slot.compute(slot.claim())
    after = reasons(client, job)

    assert before[3:] == ["waits for 3 tasks like tests/Tile", "waits for Mosaic"]
    assert after == ["is ready and waits for a free slot", "waits for tests/Tile", "waits for Mosaic"]


def test_why_no_live_runner(client: Client, cluster: Cluster, make_slot: MakeSlot, connection: Connection) -> None:
    """A ready task that no live runner can take says cluster, identifier, version, and the newest version there."""
    job = client.jobs().submit("job", Tile())
    alone = reasons(client, job)
    make_slot("tests/Tile v1.2")
    other = client.clusters().create("other")
    make_slot("tests/Tile v1.3", cluster=other.slug)
    old = reasons(client, job)
    new = make_slot("tests/Tile v1.10")
    able = reasons(client, job)
    connection.execute(
        "update tbx.leases l set until = tbx.now() from tbx.slots s where s.id = l.slot_id and s.runner_id = %s",
        (new.runner_id,),
    )
    silent = reasons(client, job)
    connection.execute("update tbx.leases set until = tbx.now() + interval '1 minute'")
    runners.drain_runner(connection, new.runner_id, gone=False)
    draining = reasons(client, job)

    nobody = f"no live runner of cluster '{cluster.slug}' has 'tests/Tile' v1.3"
    assert alone == [nobody]
    assert old == silent == draining == [f"{nobody} (the newest one there is v1.2)"]
    assert able == ["is ready and waits for a free slot"]


def test_why_limit_is_full(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """A task held by a limit names the limit and how full it is."""
    job = client.jobs().submit("job", [Tile(number) for number in range(4)], limit=("copernicus", 2))
    make_slot("tests/Tile v1.3").claim()

    assert reasons(client, job)[1:] == ["limit 'copernicus' is full (2 of 2)"] * 2


def test_why_job_canceled(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """Every queued task of a canceled job, and of one that failed, says so."""
    canceled = client.jobs().submit("canceled", [Tile(), Tile()])
    client.jobs().cancel(canceled)
    failed = client.jobs().submit("failed", [Tile(), Tile()])
    slot = make_slot("tests/Tile v1.3")
    slot.fail(slot.claim(), "boom")

    assert reasons(client, canceled) == ["job canceled"] * 2
    assert reasons(client, failed) == ["job canceled, since another task of it failed"]


def test_why_backs_off(client: Client, cluster: Cluster, make_slot: MakeSlot, connection: Connection) -> None:
    """A task that waits before its next attempt says until when, in UTC."""
    job = client.jobs().submit("job", Tile(), max_retries=1)
    slot = make_slot("tests/Tile v1.3")
    slot.fail(slot.claim(), "boom", wait_seconds=3600)

    (reason,) = reasons(client, job)

    until = connection.execute("select to_char(run_after, 'YYYY-MM-DD HH24:MI:SS') from tbx.tasks").fetchone()
    assert until is not None
    assert reason == f"backs off until {until[0]} UTC"


def test_why_shows_only_queued_tasks(client: Client, cluster: Cluster, make_slot: MakeSlot) -> None:
    """Running and computed tasks need no reason; a Why prints as its task and the reason."""
    job = client.jobs().submit("job", [Tile(number) for number in range(3)])
    slot = make_slot("tests/Tile v1.3")
    slot.compute(slot.claim())
    slot.claim()

    (why,) = client.jobs().why(job)

    assert why.task_id == client.jobs().tasks(job)[2].id
    assert str(why) == "Tile: is ready and waits for a free slot"
