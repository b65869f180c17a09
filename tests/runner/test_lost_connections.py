"""What a slot does when its connection to the ledger is cut: between calls, and while a call is on its way."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from diary import Diary, Step, all_tasks

from tilebox_celery import faults
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.states import JobState
from tilebox_celery.workflows import Client, ExecutionContext, Task

CUT = (
    b"select pg_terminate_backend(pid, 5000) from pg_stat_activity"
    b" where datname = current_database() and application_name = 'tilebox-celery run_all'"
)


class Cut(Task):
    """Cuts the connection of its own slot, and goes on."""

    ledger_url: str
    fails: bool = False

    def execute(self, context: ExecutionContext) -> None:
        Diary.write("cut")
        context.progress("cuts").add(1)
        with psycopg.connect(self.ledger_url, autocommit=True) as connection:
            assert connection.execute(CUT).fetchall() == [(True,)]
        context.submit_subtask(Step("below"))
        if self.fails and context.current_task.attempt == 1:
            raise RuntimeError("once")


class Chain(Task):
    """Steps one after the other: each advance carries one."""

    count: int

    def execute(self, context: ExecutionContext) -> None:
        before = None
        for i in range(self.count):
            before = context.submit_subtask(Step(str(i)), depends_on=before)


@pytest.fixture
def cut_at(ledger_url: str) -> Iterator[Callable[[str, int], None]]:
    """Cut the slot's connection when a point of the engine is reached for the nth time."""

    def choose(point: str, nth: int) -> None:
        seen = 0

        def seam(reached: str) -> None:
            nonlocal seen
            seen += reached == point
            if reached == point and seen == nth:
                Diary.write(f"cut at {point}")
                with psycopg.connect(ledger_url, autocommit=True) as connection:
                    connection.execute(CUT)

        faults.seam = seam

    before = faults.seam
    yield choose
    faults.seam = before


@pytest.mark.parametrize("fails", [False, True])
def test_connection_cut_between_calls_loses_nothing(
    client: Client, cluster: Cluster, ledger_url: str, diary: list[str], fails: bool
) -> None:
    """A task that ends after its slot lost the connection is reported on a new one, with its subtasks and progress."""
    job = client.jobs().submit("cut", Cut(ledger_url, fails), max_retries=1)

    client.runner(tasks=[Cut, Step]).run_all()

    assert diary == ["cut"] * (1 + fails) + ["below"]
    found = client.jobs().find(job)
    assert found.state is JobState.COMPLETED
    assert [(bar.label, bar.total) for bar in found.progress] == [("cuts", 1)]
    assert_committed_once(client, job)


@pytest.mark.parametrize("point", ["before_claim", "after_claim", "before_commit", "inside_commit", "after_commit"])
@pytest.mark.parametrize("nth", [1, 3])
def test_call_of_unknown_outcome_is_repeated_without_harm(
    client: Client, cluster: Cluster, diary: list[str], cut_at: Callable[[str, int], None], point: str, nth: int
) -> None:
    """Cut at any point of the loop, also while the answer is on its way: each task is committed exactly once."""
    job = client.jobs().submit("chain", Chain(5))
    reached = nth if point in ("before_commit", "inside_commit", "after_commit") else 1
    cut_at(point, reached)

    client.runner(tasks=[Chain, Step]).run_all()

    assert f"cut at {point}" in diary
    assert client.jobs().find(job).state is JobState.COMPLETED
    names = [line for line in diary if line.isdecimal()]
    assert list(dict.fromkeys(names)) == ["0", "1", "2", "3", "4"], "in order, and none is missing"
    assert_committed_once(client, job)


def assert_committed_once(client: Client, job: object) -> None:
    """See that each task of a job has one attempt that was computed."""
    outcomes = [[a.outcome for a in task.attempts].count("computed") for task in all_tasks(client, job)]  # type: ignore[arg-type] # a Job
    assert outcomes == [1] * len(outcomes)
