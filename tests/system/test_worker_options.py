"""Options of stock Celery workers that do not fit a worker whose messages are no tasks."""

import sys

import pytest
from fleet import Fleet
from workflow import Fan

from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system
CELERY = [sys.executable, "-m", "celery", "-A", "workflow:app"]
WORKER = [*CELERY, "worker", "--loglevel", "WARNING"]


@pytest.mark.parametrize("limits", [("--soft-time-limit", "1"), ("--time-limit", "1")], ids=["soft", "hard"])
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_time_limits_hurt_nobody_and_say_so(fleet: Fleet, client: Client, pool: str, limits: tuple[str, ...]) -> None:
    """Tasks that take longer together than a time limit of Celery all run once, and the worker says why."""
    fleet.run([*WORKER, "-c", "1", "--pool", pool, *limits])

    job = client.jobs().submit("fan", Fan(4, 0.6)).wait(30)

    assert job.state == "COMPLETED"
    assert fleet.logged().count("time limits are not enforced by this worker") == 1
    fleet.check_effects(*map(str, range(4)), "join")
    fleet.check_ledger()
