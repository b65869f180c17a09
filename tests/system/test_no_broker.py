"""With a ledger and no broker at all, workers run jobs: NOTIFY alone wakes them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import Fleet, until
from workflow import Fan

from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system
CELERY = [sys.executable, "-m", "celery", "-A", "workflow:app", "worker", "-E", "--loglevel", "WARNING"]
PROGRAM = [sys.executable, "-m", "tilebox_celery.cli.main", "runner", "start", "-m", "workflow"]


@pytest.fixture
def fleet(client: Client, cluster: object, ledger_url: str, tmp_path: Path) -> Iterator[Fleet]:
    """Workers on the ledger of this test, without a broker; their leases are too long for the sweep to help."""
    fleet = Fleet(client, ledger_url, "", tmp_path)
    fleet.environment["TILEBOX_CELERY_LEASE"] = "120"
    yield fleet
    fleet.stop()


@pytest.mark.parametrize(
    "command",
    [
        [*CELERY, "--pool", "prefork", "-c", "2"],
        [*CELERY, "--pool", "threads", "-c", "2"],
        [*PROGRAM, "-n", "2"],
        [sys.executable, "workflow.py", "--pool", "solo"],
    ],
    ids=["prefork", "threads", "runner-start", "run-forever"],
)
def test_a_worker_without_a_broker_runs_jobs(fleet: Fleet, command: list[str]) -> None:
    """A fan-out is done by an idle worker that has Postgres alone, asked for by NOTIFY or not; it drains on TERM."""
    worker = fleet.run(command, TILEBOX_CELERY_WAKE_BY="broker")
    until(lambda: fleet.query("select bool_and(state = 'idle') from tbx.slots where state <> 'gone'")[0][0])
    until(lambda: fleet.keeper(worker)).suspend()  # nobody sweeps

    job = fleet.client.jobs().submit("fan", Fan(6, 0.02)).wait(30)

    assert job.state == "COMPLETED"
    fleet.check_effects(*map(str, range(6)), "join")
    fleet.keeper(worker).resume()  # type: ignore[union-attr] # it was there
    worker.terminate()
    assert worker.wait(30) == 0
    fleet.check_ledger()
    assert "amqp" not in fleet.logged()
    assert fleet.logged().count("no broker is configured: wake-ups come by NOTIFY alone") == 1


def test_run_all_needs_no_broker(
    client: Client, cluster: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """run_all in this process drains a job on Postgres alone."""
    monkeypatch.setenv("EFFECTS", str(tmp_path / "effects"))
    monkeypatch.delenv("TILEBOX_CELERY_BROKER_URL", raising=False)
    from workflow import TASKS

    job = client.jobs().submit("fan", Fan(3))

    client.runner(tasks=TASKS).run_all()

    assert client.jobs().find(job.id).state == "COMPLETED"


def test_what_needs_a_broker_says_so(client: Client, cluster: object) -> None:
    """A worker without a broker refuses to send plain Celery messages, instead of losing them in its memory."""
    from kombu import Connection

    from tilebox_celery.dispatch.no_broker import NO_BROKER_URL
    from tilebox_celery.errors import BrokerUnavailable

    with (
        Connection(NO_BROKER_URL) as connection,
        connection.SimpleQueue("shop") as queue,
        pytest.raises(BrokerUnavailable, match="queue 'shop': set TILEBOX_CELERY_BROKER_URL"),
    ):
        queue.put({})
