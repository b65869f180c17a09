"""What a task may not say of its progress, and what a mistake in one task's results costs the others."""

import random
from typing import Any

import pytest
from diary import Diary, Step, all_tasks

from tilebox_celery.ledger.calls import ClaimedTask, Finished
from tilebox_celery.model import context
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.model.states import JobState
from tilebox_celery.runner import slot_loop
from tilebox_celery.workflows import Client, ExecutionContext, Task

WRONG_LABELS: dict[str, Any] = {"number": 5, "bytes": b"tiles", "list": ["tiles"]}


class WrongLabel(Task):
    """Uses a label that is none, between bars that are well."""

    kind: str

    def execute(self, context: ExecutionContext) -> None:
        context.progress("before").add(1)
        context.progress(WRONG_LABELS[self.kind]).add(1)


class LongLabel(Task):
    """Has a label of so many characters, which no compression makes shorter."""

    size: int

    def execute(self, context: ExecutionContext) -> None:
        letters = random.Random(1)
        context.progress("".join(letters.choice("abcdefghijklmnop") for _ in range(self.size))).add(1)


class Family(Task):
    """Has a subtask."""

    name: str

    def execute(self, context: ExecutionContext) -> None:
        Diary.write(self.name)
        context.submit_subtask(Step(f"below {self.name}"))


@pytest.mark.parametrize("kind", list(WRONG_LABELS))
def test_a_label_that_is_no_text_fails_its_task_alone(
    client: Client, cluster: Cluster, diary: list[str], kind: str
) -> None:
    """The task fails by one sentence, and the runner goes on with the others."""
    bad = client.jobs().submit("bad", WrongLabel(kind))
    client.jobs().submit("step", Step("after"))

    client.runner(tasks=[WrongLabel, Step]).run_all()

    assert diary == ["after"]
    assert client.jobs().find(bad).state is JobState.FAILED
    assert "A progress label is a text, or None" in error_of(client, bad)


@pytest.mark.parametrize("size", [257, 100_000])
def test_a_label_that_is_too_long_fails_its_task(client: Client, cluster: Cluster, diary: list[str], size: int) -> None:
    """A label has at most 256 characters; one more fails the task by a sentence that says so."""
    good, bad = (client.jobs().submit(f"{length}", LongLabel(length)) for length in (256, size))

    client.runner(tasks=[LongLabel]).run_all()

    assert [len(str(bar.label)) for bar in client.jobs().find(good).progress] == [256]
    assert client.jobs().find(bad).state is JobState.FAILED
    assert "A progress label has at most 256 characters" in error_of(client, bad)


def test_what_the_ledger_never_takes_is_not_sent_again(
    client: Client, cluster: Cluster, diary: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that exceeds a limit of Postgres (54000) is no lost connection: the task fails, the slot goes on."""
    monkeypatch.setattr(context, "MAX_LABEL", 200_000)
    bad = client.jobs().submit("bad", LongLabel(100_000))
    client.jobs().submit("step", Step("after"))

    client.runner(tasks=[LongLabel, Step]).run_all()

    assert diary == ["after"]
    assert "cannot store what this task produced" in error_of(client, bad)
    assert "maximum" in error_of(client, bad)


def test_results_that_cannot_be_put_together_fail_their_task_alone(
    client: Client, cluster: Cluster, diary: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours while one task's results are gathered costs that task its attempts, and no other anything."""
    gather = slot_loop.add_finished

    def gather_badly(finished: Finished, task: ClaimedTask, times: Any, outcome: Any) -> None:
        if task.input == b'"bad"' and outcome.batch is not None and task.attempt < 3:
            finished.job_ids.append(task.job_id)
            finished.family.add(outcome.batch, outcome.routes)
            raise ZeroDivisionError("a mistake of ours")
        gather(finished, task, times, outcome)

    monkeypatch.setattr(slot_loop, "add_finished", gather_badly)
    names = [f"good {i}" for i in range(40)]
    client.jobs().submit("learn how long they take", [Family(f"first {i}") for i in range(20)])
    job = client.jobs().submit("job", [Family(name) for name in [*names[:20], "bad", *names[20:]]], max_retries=2)

    client.runner(tasks=[Family, Step]).run_all()

    tasks = list(all_tasks(client, job))
    assert client.jobs().find(job).state is JobState.COMPLETED
    (bad,) = [task for task in tasks if len(task.attempts) > 1]
    assert [attempt.outcome for attempt in bad.attempts] == ["failed", "failed", "computed"]
    assert "a mistake of ours" in str(bad.attempts[0].error)
    ran = [line for line in diary if "first" not in line]
    assert sorted(ran) == sorted(["bad"] * 3 + [*names, *(f"below {name}" for name in [*names, "bad"])])


def error_of(client: Client, job: Job) -> str:
    """Return why a job's only task failed."""
    (task,) = all_tasks(client, job)
    return str(task.error)
