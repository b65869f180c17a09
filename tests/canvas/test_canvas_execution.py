"""A Celery task in a canvas job behaves as in a worker of its own app, and its retries are attempts of the ledger."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from canvas_project import (
    Describe,
    Journal,
    add,
    describe,
    do,
    flaky,
    flaky_by_class,
    flaky_by_name,
    kept,
    mix,
    noted,
    pack,
    see_request,
)
from celery import Celery, chain, group, shared_task
from celery.exceptions import Retry
from celery.signals import task_failure, task_postrun, task_prerun, task_success

from tilebox_celery.client.client import Client
from tilebox_celery.model.job import Job, TaskView
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.runner.celery_task import is_celery_task
from tilebox_celery.runner.task_runner import TaskRunner
from tilebox_celery.settings import Settings
from tilebox_celery.testing.clock import DatabaseClock
from tilebox_celery.workflows import ExecutionContext, Task

Run = Callable[[Any], Any]
RunJob = Callable[[Any], Job]


def first_task(client: Client, job: Job) -> TaskView:
    return client.jobs().tasks(job)[0]


def outcomes(task: TaskView) -> list[str | None]:
    return [attempt.outcome for attempt in task.attempts]


def test_a_bound_task_sees_a_real_request(client: Client, run_job: RunJob) -> None:
    """Its id is that of the ledger task, its root the job, its parent the task that handed it the value."""
    job = run_job(chain(add.s(1, 2), see_request.s(7, flag=True).set(headers={"who": "me"})))

    before, task = client.jobs().tasks(job)
    assert client.jobs().result(job) == {
        "id": str(task.id),
        "root_id": str(job.id),
        "parent_id": str(before.id),
        "retries": 0,
        "args": [3, 7],
        "kwargs": {"flag": True},
        "headers": {"who": "me"},
        "is_eager": False,
        "called_directly": False,
        "task": "canvas_project.see_request",
        "job": str(job.id),
        "app": "project",
    }


def test_a_retry_is_an_attempt(client: Client, run_job: RunJob) -> None:
    """self.retry() ends the attempt as failed with its reason, and the next one goes on."""
    job = run_job(flaky.s("scene", 2))

    task = first_task(client, job)
    assert client.jobs().result(job) == "scene"
    assert outcomes(task) == ["failed", "failed", "computed"]
    assert "ConnectionError: provider is away" in str(task.attempts[0].error)
    assert str(task.attempts[0].error).endswith("Retry in 0s: ConnectionError('provider is away')")


def test_a_countdown_is_waited_for(
    client: Client, runner: TaskRunner, run_job: RunJob, clock: DatabaseClock, connection: Connection
) -> None:
    """The task is not run again before its time, on the clock of the database."""
    job = run_job(flaky.s("scene", 1, countdown=600))
    connection.execute("select tbx.sweep()")
    runner.run_all()
    waiting = client.jobs().find(job)

    clock.advance(timedelta(seconds=601))
    connection.execute("select tbx.sweep()")
    runner.run_all()

    assert waiting.state == "STARTED"
    assert client.jobs().result(job) == "scene"


def test_an_eta_is_waited_for(client: Client, run_job: RunJob, connection: Connection) -> None:
    """self.retry(eta=...) is a delay from now."""
    job = run_job(do.s("retry at", (datetime.now(UTC) + timedelta(hours=1)).isoformat()))

    (wait,) = connection.execute("select run_after - tbx.now() from tbx.tasks").fetchone() or (None,)
    assert client.jobs().find(job).state == "STARTED"
    assert timedelta(minutes=59) < wait < timedelta(minutes=61)


def test_the_class_limits_the_retries(client: Client, run_job: RunJob) -> None:
    """After max_retries of the class, which is 3, the task fails with the exception that it named."""
    job = run_job(flaky.s("scene", 10))

    task = first_task(client, job)
    assert job.state == "FAILED"
    assert outcomes(task) == ["failed"] * 4
    assert str(task.error).rstrip().endswith("ConnectionError: provider is away")


def test_a_retry_can_raise_the_limit(client: Client, run_job: RunJob) -> None:
    """self.retry(max_retries=5) overrides that of the class."""
    job = run_job(flaky.s("scene", 5, max_retries=5))

    assert client.jobs().result(job) == "scene"


def test_autoretry_is_honoured(client: Client, run_job: RunJob) -> None:
    """autoretry_for with its retry_kwargs, up to its own limit."""
    kept_on = run_job(flaky_by_class.s("scene", 5))
    gave_up = run_job(flaky_by_class.s("scene", 6))

    assert client.jobs().result(kept_on) == "scene"
    assert gave_up.state == "FAILED"
    assert len(first_task(client, gave_up).attempts) == 6


def test_a_task_can_be_retried_by_its_global_name(run: Run) -> None:
    """A function without self calls retry of the task itself."""
    result = run(flaky_by_name.s("scene"))

    assert result == "scene"


def test_a_retry_that_is_not_raised_counts_as_well(client: Client, run_job: RunJob) -> None:
    """With throw=False the task may return; it is run again, and what it returned then counts."""
    job = run_job(do.s("retry and return"))

    assert client.jobs().result(job) == 1
    assert outcomes(first_task(client, job)) == ["failed", "computed"]


def test_a_plain_exception_is_final(client: Client, run_job: RunJob) -> None:
    """Celery runs again only what asks for it; the error shows the user's code, not Celery's."""
    job = run_job(noted.s(None))

    task = first_task(client, job)
    assert job.state == "FAILED"
    assert outcomes(task) == ["failed"]
    assert "canvas_project.py" in str(task.error)
    assert "trace.py" not in str(task.error)
    assert task.display == "canvas_project.noted\nValueError('nothing')"


def test_leaving_the_process_is_final(client: Client, run_job: RunJob) -> None:
    """sys.exit() in a task fails the task and not the runner."""
    job = run_job(do.s("exit"))

    assert job.state == "FAILED"
    assert "SystemExit: 3" in str(first_task(client, job).error)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("replace", "self.replace() would change the graph of a canvas job"),
        ("add_to_chord", "self.add_to_chord() would change the graph of a canvas job"),
        ("get", "Never call result.get() within a task!"),
        ("retry with other arguments", "self.retry() cannot change the arguments"),
        ("ignore", "raised Ignore, but a canvas job has no tasks without an outcome"),
        ("reject", "raised Reject, but a canvas job has no tasks without an outcome"),
        ("set", "canvas_project.do returned a set, which is not JSON"),
        ("nan", "canvas_project.do returned a dict, which is not JSON"),
    ],
)
def test_what_a_job_cannot_do_fails_the_task_with_a_sentence(
    client: Client, run_job: RunJob, what: str, sentence: str
) -> None:
    """At run time, by name, and without a second attempt."""
    job = run_job(do.s(what))

    task = first_task(client, job)
    assert job.state == "FAILED"
    assert sentence in str(task.error)
    assert len(task.attempts) == 1


def test_a_rejected_task_goes_back_to_the_queue(
    client: Client, runner: TaskRunner, run_job: RunJob, clock: DatabaseClock, connection: Connection
) -> None:
    """Reject(requeue=True) runs again a second later."""
    job = run_job(do.s("requeue"))

    clock.advance(timedelta(seconds=2))
    connection.execute("select tbx.sweep()")
    runner.run_all()

    assert client.jobs().result(job) == 1


def test_states_and_events_go_nowhere(run: Run) -> None:
    """update_state and send_event need neither backend nor broker."""
    result = run(do.s("states"))

    assert result == "told nobody"


def test_a_result_over_the_limit_fails_the_task(client: Client, ledger_url: str, runner: TaskRunner) -> None:
    """The sentence names task, size, limit and setting; at the limit it is kept."""
    settings = replace(Settings.from_environment(), max_result_bytes=1000)
    small = TaskRunner(ledger_url, None, runner.cluster, [do], settings=settings)
    within = client.jobs().submit_canvas("within", do.s("large", 998))
    over = client.jobs().submit_canvas("over", do.s("large", 999))

    small.run_all()

    assert client.jobs().result(within) == "x" * 998
    assert "canvas_project.do returned 1,001 bytes of JSON, more than 1,000" in str(first_task(client, over).error)


def test_hooks_and_signals_are_called(client: Client, run_job: RunJob) -> None:
    """Those of a base class, and Celery's signals, as in a worker."""
    heard: list[str] = []

    def listen(name: str) -> Callable[..., None]:
        def receive(sender: Any = None, **kwargs: Any) -> None:
            heard.append(f"{name} {sender.name}")

        return receive

    receivers = {signal: listen(signal.name) for signal in (task_prerun, task_success, task_failure, task_postrun)}
    for signal, receiver in receivers.items():
        signal.connect(receiver, weak=False)
    Journal.entries.clear()
    try:
        run_job(noted.s(1))
        run_job(noted.s(None))
    finally:
        for signal, receiver in receivers.items():
            signal.disconnect(receiver)

    assert Journal.entries == [
        "before (1,)",
        "success 1",
        "after SUCCESS",
        "before (None,)",
        "failure nothing",
        "after FAILURE",
    ]
    assert [line.partition(" ")[0] for line in heard] == [
        "task_prerun",
        "task_success",
        "task_postrun",
        "task_prerun",
        "task_failure",
        "task_postrun",
    ]


def test_sending_a_task_still_goes_to_its_own_app(client: Client, cluster: object) -> None:
    """delay() in a task of a canvas job, and after it, reaches the broker of its app, with our task as parent."""
    theirs = Celery("theirs", broker="memory://canvas-test", set_as_current=False)

    @theirs.task(bind=True, name="theirs.send", shared=False)
    def send(self: Any, value: int) -> str:
        theirs.send_task("theirs.other", (value,))
        return str(self.request.id)

    job = client.jobs().submit_canvas("sends", send.s(5))
    client.runner(tasks=[send]).run_all()
    send.delay(6)

    with theirs.connection_for_read() as connection, connection.SimpleQueue("celery") as queue:
        inside, outside = queue.get(timeout=5), queue.get(timeout=5)
    assert (inside.headers["task"], inside.payload[0]) == ("theirs.other", [5])
    assert inside.headers["parent_id"] == client.jobs().result(job)
    assert (outside.headers["task"], outside.payload[0]) == ("theirs.send", [6])


def test_outside_of_a_job_a_registered_task_is_as_before(runner: TaskRunner) -> None:
    """Celery's eager mode retries in its own way, and a direct call raises."""
    eager = flaky.apply(("scene", 2))

    with pytest.raises(ConnectionError):
        flaky("scene", 1)
    assert eager.get() == "scene"


def test_class_based_and_shared_tasks_are_accepted(client: Client, cluster: object) -> None:
    """Given as registered instance or as class; a shared task is that of the app that is current."""

    @shared_task(name="canvas.shared_double")
    def double(x: int) -> int:
        return 2 * x

    runner = client.runner(tasks=[Describe, double])
    job = client.jobs().submit_canvas("classes", chain(double.s(4), describe.s()))
    runner.run_all()

    assert client.jobs().result(job) == "Describe of 8"


def test_a_name_can_be_registered_once(client: Client, runner: TaskRunner) -> None:
    """Two tasks of one name in a runner are refused, the same one twice is not."""
    other = Celery("other", set_as_current=False)
    impostor = other.task(name="canvas_project.add", shared=False)(pack.run)

    runner.register(add)
    with pytest.raises(ValueError, match=r"Two tasks are registered as 'canvas_project.add'"):
        runner.register(impostor)


def test_only_celery_tasks_are_taken_for_such() -> None:
    """Functions, classes and signatures are not."""
    assert [is_celery_task(thing) for thing in (add, Describe, describe, print, Client, add.s(1, 1))] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_task_class_of_the_same_name_ends_soon(client: Client, cluster: object) -> None:
    """A Task class under the name of a Celery task cannot read its input, and is not tried for ever."""

    class Namesake(Task):
        value: int

        def execute(self, context: ExecutionContext) -> None:
            raise AssertionError

    runner = client.runner(tasks=[Namesake])
    runner.run_all()  # has registered it
    job = client.jobs().submit_canvas("namesake", {"task": "Namesake", "args": [1]})
    runner.run_all()

    assert "the class has no field 'args'" in str(first_task(client, job).error)
    assert client.jobs().find(job).state == "FAILED"


def test_retry_has_no_meaning_in_a_loop(client: Client, run_job: RunJob) -> None:
    """map calls the task as a function, where retry raises its exception."""
    with_reason = run_job(flaky.starmap([("scene", 1)]))
    without = run_job(flaky_by_name.map(["scene"]))

    assert "ConnectionError: provider is away" in str(first_task(client, with_reason).error)
    assert "self.retry() has no meaning in map and chunks" in str(first_task(client, without).error)
    assert issubclass(Retry, Exception)


def test_values_keep_their_places_in_large_groups(run: Run) -> None:
    """A thousand results, more than one block of ids, arrive in written order."""
    result = run(chain(group(kept.s(i) for i in range(1000)), pack.s()))

    assert result == [list(range(1000))]


def test_a_batch_fetches_for_each_task_its_own_values(run: Run) -> None:
    """Several chains side by side in one claim do not mix."""
    result = run(group(chain(kept.s(i), add.s(i), mix.s()) for i in range(50)))

    assert result == [mix.run(2 * i) for i in range(50)]


def test_a_task_of_the_runners_app_that_is_sent_directly_is_a_job(
    client: Client, runner: TaskRunner, connection: Connection
) -> None:
    """What plain Celery does in the worker when it gets a message with a task's name: submit a canvas of one call."""
    runner.celery_app.tasks["canvas_project.add"].run(2, y=3)
    (job,) = client.jobs().query()
    runner.run_all()

    assert job.name == "canvas_project.add"
    assert client.jobs().result(job) == 5


def test_the_runners_app_keeps_its_tasks_to_itself(runner: TaskRunner) -> None:
    """An app that is made later gets neither the wake-up task nor stand-ins of the user's tasks."""
    assert "canvas_project.add" in runner.celery_app.tasks

    later = Celery("later", set_as_current=False)

    assert "tilebox_celery.wake" not in later.tasks
    assert "canvas_project.add" not in later.tasks
