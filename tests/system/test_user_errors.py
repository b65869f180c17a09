"""Whatever user code raises is the failure of its task, and processes that it starts are its own, on all pools."""

import pytest
from fleet import Fleet
from workflow import Fan, Forks, Processes, Quits

from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system


@pytest.mark.parametrize("error", ["interrupt", "exit"])
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_what_ends_a_program_fails_a_task_alone(fleet: Fleet, client: Client, pool: str, error: str) -> None:
    """A task that raises KeyboardInterrupt or SystemExit fails with its traceback, and its worker goes on."""
    fleet.start("--pool", pool, "--concurrency", "1")

    job = client.jobs().submit("quits", Quits(error)).wait(20)
    after = client.jobs().submit("after", Fan(2)).wait(20)

    (task,) = fleet.tasks(job)
    assert (job.state, task.state, [a.outcome for a in task.attempts]) == ("FAILED", "FAILED", ["failed"])
    assert "enough" in (task.attempts[0].error or "")
    assert after.state == "COMPLETED"
    assert fleet.count("quits") == 1
    fleet.check_effects("0", "1", "join")
    fleet.check_ledger()


@pytest.mark.parametrize("end", ["returns", "raises"])
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_forked_process_does_not_come_back_as_the_task(fleet: Fleet, client: Client, pool: str, end: str) -> None:
    """A process that a task forks and that leaves `execute` ends there, and what the parent did is what counts."""
    fleet.start("--pool", pool, "--concurrency", "1")

    job = client.jobs().submit("forks", Forks(end)).wait(20)
    after = client.jobs().submit("after", Fan(2)).wait(20)

    assert (job.state, after.state) == ("COMPLETED", "COMPLETED")
    assert fleet.effects()[0] == f"child ended {int(end == 'raises')}"
    assert ("ValueError: of the child" in fleet.logged()) == (end == "raises")
    assert [task.outcome for each in fleet.tasks(job) for task in each.attempts] == ["computed", "computed"]
    assert "the child" not in [task.display for task in fleet.tasks(job)]
    fleet.check_effects("of", "0", "1", "join")
    assert fleet.count("start of the parent") == 1
    fleet.check_ledger()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_task_may_use_multiprocessing(fleet: Fleet, client: Client, pool: str, method: str) -> None:
    """A task starts a pool of processes, which Celery's own prefork children may not."""
    fleet.start("--pool", pool, "--concurrency", "1")

    job = client.jobs().submit("processes", Processes(method)).wait(30)

    assert (job.state, fleet.effects()) == ("COMPLETED", ["processes [1, 2]"]), fleet.logged()[-2000:]
