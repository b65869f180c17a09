"""A process is killed at each point between claim and wake-up: jobs are done, nothing is committed twice."""

from pathlib import Path

import pytest
from fleet import Fleet
from workflow import Fan

from tilebox_celery import faults
from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system


def run_with_faults(fleet: Fleet, client: Client, folder: Path, points: tuple[str, ...]) -> None:
    """Run a fan on two workers while a process is killed once at each point, and check everything."""
    folder.mkdir()
    variables = {
        "TILEBOX_CELERY_WAKE_BY": "broker",  # wake-ups are published by slots too
        "TILEBOX_CELERY_FAULT": ",".join(f"{point}:2:kill" for point in points),
        "TILEBOX_CELERY_FAULT_DIR": str(folder),
    }
    fleet.start(**variables)
    fleet.start(**variables)

    job = client.jobs().submit("fan", Fan(20, 0.05))
    more = [job]
    while len(list(folder.iterdir())) < len(points):
        assert len(more) < 30, f"only {sorted(path.name for path in folder.iterdir())} acted"
        more[-1].wait(60)
        more.append(client.jobs().submit("more", Fan(20, 0.0, f"more{len(more)}-")))
    ended = [one.wait(60) for one in more]

    assert {one.state for one in ended} == {"COMPLETED"}
    fleet.check_effects(*map(str, range(20)), "join", once=False)
    assert {task.state for one in ended for task in fleet.tasks(one)} == {"COMPUTED"}
    assert all(worker.poll() is None for worker in fleet.workers)
    assert fleet.query("select count(*) from tbx.tasks where state = 'RUNNING'") == [(0,)]
    fleet.check_ledger()


def test_kills_at_every_point_of_one_job(fleet: Fleet, client: Client, tmp_path: Path) -> None:
    """Every point kills a process once in the same jobs."""
    run_with_faults(fleet, client, tmp_path / "faults", faults.POINTS)


@pytest.mark.long
@pytest.mark.parametrize("point", faults.POINTS)
def test_a_kill_at_each_point(fleet: Fleet, client: Client, tmp_path: Path, point: str) -> None:
    """One point alone kills a process once."""
    run_with_faults(fleet, client, tmp_path / "faults", (point,))
