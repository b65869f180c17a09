"""Whatever user code raises is the failure of its task, on all pools."""

import pytest
from fleet import Fleet
from workflow import Fan, Quits

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
