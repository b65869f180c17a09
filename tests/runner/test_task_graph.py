"""Which task runs, where and when: parents, dependencies, clusters, versions."""

import signal

import pytest
from diary import Diary, Failing, Parent, Step, all_tasks, states

from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.states import JobState
from tilebox_celery.workflows import Client, ExecutionContext, Task


class Diamond(Task):
    """Two branches of which one has a subtree of its own, and a join."""

    def execute(self, context: ExecutionContext) -> None:
        left = context.submit_subtask(Parent(["leaf a", "leaf b"]))
        right = context.submit_subtask(Step("right"))
        context.submit_subtask(Step("join"), depends_on=[left, right])


class Watcher(Task):
    """Submits a step, and looks into the ledger before it ends."""

    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtask(Step("below"))
        job = context.current_task.job
        assert job is not None
        seen = list(all_tasks(Watching.client, job))
        Diary.write(f"{len(seen)} task, {seen[0].state}")


class Watching:
    """The client with which a task of this process looks at its own job."""

    client: Client


class Abroad(Task):
    """Submits one step to another cluster and one to its own."""

    cluster: str

    def execute(self, context: ExecutionContext) -> None:
        there = context.submit_subtask(Step("there"), cluster=self.cluster)
        context.submit_subtask(Step("here"), depends_on=there)


def versioned(version: str) -> type[Task]:
    """Make a class of the same name in any version."""

    class Versioned(Task):
        name: str

        @staticmethod
        def identifier() -> tuple[str, str]:
            return "tests.Versioned", version

        def execute(self, context: ExecutionContext) -> None:
            Diary.write(f"{self.name} by {version}")

    return Versioned


@pytest.mark.clause("1.4-2")
@pytest.mark.clause("1.4-3")
def test_dependent_waits_for_the_whole_subtree(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """A dependent task starts after the last leaf below its dependencies, also on a runner that knows only it later."""
    job = client.jobs().submit("diamond", Diamond())
    client.runner(tasks=[Diamond, Parent]).run_all()  # the branch itself is computed, its leaves are not

    client.runner(tasks=[Step]).run_all()

    assert diary[0] == "parent"
    assert sorted(diary[1:4]) == ["leaf a", "leaf b", "right"]
    assert diary[4:] == ["join"]
    assert client.jobs().find(job).state is JobState.COMPLETED


@pytest.mark.clause("1.4-2")
def test_job_is_not_completed_before_its_deepest_task(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """A computed root with queued subtasks leaves its job open."""
    job = client.jobs().submit("parent", Parent(["deep"]))

    client.runner(tasks=[Parent]).run_all()

    assert states(client, job) == {"parent": "COMPUTED", "Step": "QUEUED"}
    assert client.jobs().find(job).state is JobState.STARTED


@pytest.mark.clause("1.3-9")
def test_subtasks_appear_with_the_end_of_their_parent(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """While the parent runs, the ledger has no subtask of it; when it is COMPUTED they are queued."""
    Watching.client = client
    job = client.jobs().submit("watcher", Watcher())

    client.runner(tasks=[Watcher]).run_all()

    assert diary == ["1 task, RUNNING"]
    assert states(client, job) == {"Watcher": "COMPUTED", "Step": "QUEUED"}


@pytest.mark.clause("1.3-2")
def test_subtask_runs_where_its_parent_runs_unless_it_says_otherwise(
    client: Client, cluster: Cluster, diary: list[str]
) -> None:
    """A subtask is in its parent's cluster, or in the one that it names, and dependencies cross clusters."""
    other = client.clusters().create("other")
    job = client.jobs().submit("abroad", Abroad(other.slug), cluster)
    here, there = (client.runner(place, tasks=[Abroad, Step]) for place in (cluster, other))

    here.run_all()
    assert diary == []
    there.run_all()
    assert diary == ["there"]
    here.run_all()

    assert diary == ["there", "here"]
    assert {task.display: task.cluster for task in all_tasks(client, job)} == {
        "Abroad": cluster.slug,
        "there": other.slug,
        "here": cluster.slug,
    }


@pytest.mark.clause("1.4-4")
@pytest.mark.clause("1.4-5")
@pytest.mark.parametrize("registered", ["v1.2", "v2.3", "v0.9"])
def test_task_stays_queued_without_a_compatible_runner(
    client: Client, cluster: Cluster, diary: list[str], registered: str
) -> None:
    """A runner of an older minor, another major or another cluster leaves a task queued, and the reason is told."""
    other = client.clusters().create("other")
    job = client.jobs().submit("versioned", versioned("v1.3")("it"), cluster)

    client.runner(cluster, tasks=[versioned(registered), Step]).run_all()
    client.runner(other, tasks=[versioned("v1.3")]).run_all()

    assert diary == []
    assert states(client, job) == {"Versioned": "QUEUED"}
    (why,) = client.jobs().why(job)
    assert "tests.Versioned" in str(why)


@pytest.mark.clause("1.4-4")
@pytest.mark.parametrize("registered", ["v1.3", "v1.4", "v1.10"])
def test_newer_minor_takes_the_task(client: Client, cluster: Cluster, diary: list[str], registered: str) -> None:
    """A runner of the same or a newer minor runs the task; 10 is newer than 3."""
    client.jobs().submit("versioned", versioned("v1.3")("it"))

    client.runner(tasks=[versioned(registered)]).run_all()

    assert diary == [f"it by {registered}"]


@pytest.mark.clause("1.3-8")
def test_too_many_subtasks_fail_their_parent_and_none_runs(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """64 subtasks are stored; with 65 the parent fails by a sentence that names the numbers, and nothing is stored."""
    good = client.jobs().submit("64", Parent([str(i) for i in range(64)]))
    bad = client.jobs().submit("65", Parent([str(i) for i in range(65)]))

    client.runner(tasks=[Parent, Step]).run_all()

    assert client.jobs().find(good).state is JobState.COMPLETED
    assert len(diary) == 2 + 64
    (only,) = all_tasks(client, bad)
    assert only.state == "FAILED"
    assert "Task Parent submitted 65 subtasks, but one execution may submit 64" in str(only.error)


@pytest.mark.clause("1.4-12")
@pytest.mark.clause("1.4-11")
def test_failed_job_stops_and_leaves_others_alone(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """After a failure the queued tasks of that job are not started, and the job beside it is completed."""
    failing = client.jobs().submit("failing", [Failing("bad"), Step("never")])
    other = client.jobs().submit("other", [Step("one"), Step("two")])

    client.runner(tasks=[Failing, Step]).run_all()

    assert sorted(diary) == ["bad", "one", "two"]
    job = client.jobs().find(failing)
    assert (job.state, job.canceled) == (JobState.FAILED, True)
    assert states(client, job) == {"bad\nValueError('bad had enough')": "FAILED", "Step": "QUEUED"}
    assert client.jobs().find(other).state is JobState.COMPLETED


class Flaky(Task):
    """Submits a step named after the attempt, and fails on the first."""

    def execute(self, context: ExecutionContext) -> None:
        attempt = context.current_task.attempt
        context.submit_subtask(Step(f"of attempt {attempt}"))
        if attempt == 1:
            raise RuntimeError("once")


@pytest.mark.clause("1.4-13")
def test_subtasks_of_a_failed_attempt_are_gone(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """What a failed attempt submitted never runs; the subtasks of the successful one do, once."""
    job = client.jobs().submit("flaky", Flaky(), max_retries=1)

    client.runner(tasks=[Flaky, Step]).run_all()

    assert diary == ["of attempt 2"]
    assert [(task.identifier.name, task.state) for task in all_tasks(client, job)] == [
        ("Flaky", "COMPUTED"),
        ("Step", "COMPUTED"),
    ]


@pytest.mark.clause("1.4-9")
@pytest.mark.parametrize("retries", [0, 3])
def test_max_retries_counts_attempts_after_the_first(
    client: Client, cluster: Cluster, diary: list[str], retries: int
) -> None:
    """A task that always fails is attempted once and max_retries times more, and is FAILED then."""
    job = client.jobs().submit("failing", Failing("bad"), max_retries=retries)

    client.runner(tasks=[Failing]).run_all()

    assert len(diary) == retries + 1
    assert list(states(client, job).values()) == ["FAILED"]


class First:
    name = "first"


class Second:
    name = "second"


class Picky(Task):
    """Fails on the first runner, which is asked to stop meanwhile."""

    def execute(self, context: ExecutionContext) -> None:
        Diary.write(context.runner_context.name)
        if context.runner_context.name == "first":
            signal.raise_signal(signal.SIGINT)
            raise RuntimeError("not here")


@pytest.mark.clause("1.4-10")
def test_another_runner_takes_the_retry(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """A retry is runnable at once, also for a runner that was not the first."""
    job = client.jobs().submit("picky", Picky(), max_retries=1)
    client.runner(tasks=[Picky], context=First).run_all()

    client.runner(tasks=[Picky], context=Second).run_all()

    assert diary == ["first", "second"]
    assert client.jobs().find(job).state is JobState.COMPLETED
