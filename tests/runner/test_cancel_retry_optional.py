"""What cancel, retry and optional tasks do to a job, seen from the tasks that run."""

import pytest
from diary import Diary, Failing, Parent, Step, all_tasks, states

from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.states import JobState
from tilebox_celery.workflows import Client, ExecutionContext, Task


class Canceler(Task):
    """Cancels its own job while it runs, and submits a step after that."""

    def execute(self, context: ExecutionContext) -> None:
        job = context.current_task.job
        assert job is not None
        Ledger.client.jobs().cancel(job)
        context.submit_subtask(Step("below"))
        Diary.write("canceler ends")


class Ledger:
    """The client with which a task of this process reaches its own job."""

    client: Client


class Repaired(Task):
    """Fails while the test has not repaired the world."""

    name: str

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = self.name
        Diary.write(self.name)
        if not World.is_repaired:
            raise OSError("broken")


class World:
    """What a task depends on."""

    is_repaired = False


class WithOption(Task):
    """A subtree that may fail, and what waits for it."""

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = "root"
        option = context.submit_subtask(FailingTree(), optional=True)
        context.submit_subtask(Step("after"), depends_on=option)


class FailingTree(Task):
    """Of its subtasks one fails, and another waits for it."""

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = "tree"
        bad = context.submit_subtask(Failing("bad"))
        context.submit_subtask(Step("behind the bad"), depends_on=bad)


class Option(Task):
    """One optional subtask that fails itself."""

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = "root"
        option = context.submit_subtask(Failing("bad"), optional=True)
        context.submit_subtask(Step("after"), depends_on=option)


@pytest.fixture(autouse=True)
def broken_world(client: Client) -> None:
    """Break the world and let tasks reach the ledger."""
    World.is_repaired = False
    Ledger.client = client


@pytest.mark.clause("1.4-16")
def test_cancel_lets_the_running_task_end_and_starts_nothing_more(
    client: Client, cluster: Cluster, diary: list[str]
) -> None:
    """The running task is COMPUTED; neither a queued task nor the subtask that it submitted starts."""
    job = client.jobs().submit("canceled", [Canceler(), Step("beside")])

    client.runner(tasks=[Canceler, Step]).run_all()

    assert diary == ["canceler ends"]
    assert client.jobs().find(job).state is JobState.CANCELED
    assert sorted((task.identifier.name, str(task.state)) for task in all_tasks(client, job)) == [
        ("Canceler", "COMPUTED"),
        ("Step", "QUEUED"),
        ("Step", "QUEUED"),
    ]


@pytest.mark.clause("1.4-20")
def test_canceled_job_goes_on_after_a_retry(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """retry of a canceled job runs what was left, and nothing twice."""
    job = client.jobs().submit("canceled", [Canceler(), Step("beside")])
    runner = client.runner(tasks=[Canceler, Step])
    runner.run_all()

    again = client.jobs().retry(job)
    runner.run_all()

    assert again == 0  # nothing had failed
    assert diary[0] == "canceler ends"
    assert sorted(diary[1:]) == ["below", "beside"]
    assert client.jobs().find(job).state is JobState.COMPLETED


@pytest.mark.clause("1.4-17")
@pytest.mark.clause("1.4-18")
def test_retry_runs_failed_tasks_again_and_computed_ones_not(
    client: Client, cluster: Cluster, diary: list[str]
) -> None:
    """retry gives the number of failed tasks, as often as it is called; computed tasks do not run again."""
    job = client.jobs().submit("repairable", [Step("good"), Repaired("bad")])
    runner = client.runner(tasks=[Step, Repaired])
    runner.run_all()

    numbers = []
    for World.is_repaired in (False, True, True):
        numbers.append(client.jobs().retry(job))
        runner.run_all()

    assert numbers == [1, 1, 0]
    assert diary == ["good", "bad", "bad", "bad"]
    found = client.jobs().find(job)
    assert (found.state, found.canceled) == (JobState.COMPLETED, False)


@pytest.mark.clause("1.4-19")
def test_retry_by_the_user_gives_fresh_retries(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """After a manual retry a task may again be attempted max_retries + 1 times."""
    job = client.jobs().submit("failing", Failing("bad"), max_retries=2)
    runner = client.runner(tasks=[Failing])
    runner.run_all()
    first = len(diary)

    client.jobs().retry(job)
    runner.run_all()

    assert (first, len(diary)) == (3, 6)


@pytest.mark.clause("2.optional-1")
@pytest.mark.clause("2.optional-2")
def test_job_goes_on_without_a_failed_optional_task(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """An optional task that failed is FAILED_OPTIONAL, what depends on it runs, and the job is completed."""
    job = client.jobs().submit("option", Option())

    client.runner(tasks=[Option, Failing, Step]).run_all()

    assert diary == ["bad", "after"]
    assert client.jobs().find(job).state is JobState.COMPLETED
    found = {display.partition("\n")[0]: state for display, state in states(client, job).items()}
    assert found == {"root": "COMPUTED", "bad": "FAILED_OPTIONAL", "after": "COMPUTED"}


@pytest.mark.clause("2.optional-3")
@pytest.mark.clause("2.optional-2")
def test_rest_of_a_failed_optional_subtree_is_skipped(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """A failure deep in an optional subtree skips the queued tasks of that subtree, and what waits outside runs."""
    job = client.jobs().submit("option", WithOption())

    client.runner(tasks=[WithOption, FailingTree, Failing, Step]).run_all()

    assert diary == ["bad", "after"]
    assert client.jobs().find(job).state is JobState.COMPLETED
    found = {display.partition("\n")[0]: state for display, state in states(client, job).items()}
    assert (found["bad"], found["Step"], found["after"]) == ("FAILED_OPTIONAL", "SKIPPED", "COMPUTED")


def test_cancel_of_a_job_with_a_parent_keeps_its_subtasks_queued(
    client: Client, cluster: Cluster, diary: list[str]
) -> None:
    """Subtasks that were there before the cancel do not start either."""
    job = client.jobs().submit("parent", Parent(["one", "two"]))
    client.runner(tasks=[Parent]).run_all()

    client.jobs().cancel(job)
    client.runner(tasks=[Step]).run_all()

    assert diary == ["parent"]
    assert client.jobs().find(job).state is JobState.CANCELED
