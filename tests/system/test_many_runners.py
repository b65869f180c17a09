"""Several runners share jobs: five on one job, two clusters, disjoint tasks, races with cancel and with zombies."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fleet import Fleet, until
from workflow import Elsewhere, Fan, OneFails, Row, Stamps

from tilebox_celery.settings import Settings
from tilebox_celery.testing import LedgerFactory
from tilebox_celery.workflows import Client

if TYPE_CHECKING:
    from tilebox_celery.model.job import Job

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("five_runners")]
CANCEL_TAKES = 0.2
MACHINE_SLACK = 0.8


@pytest.fixture(scope="module")
def five(tilebox_ledgers: LedgerFactory, broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Five runners on one ledger, of different pools."""
    with tilebox_ledgers.ledger() as url:
        client = Client(settings=Settings(ledger_url=url, broker_url=broker_url))
        client.clusters().create("testing")
        fleet = Fleet(client, url, broker_url, tmp_path_factory.mktemp("five"))
        for pool in ("prefork", "prefork", "threads", "threads", "solo"):
            fleet.start("--pool", pool, "--concurrency", "1")
        yield fleet
        fleet.stop()
        client.close()


def test_five_runners_share_one_job(five: Fleet) -> None:
    """Each of five runners does a part of one job, and each task runs once."""
    job = five.client.jobs().submit("fan", Fan(60, 0.1, "shared")).wait(60)

    assert job.state == "COMPLETED"
    runners = five.query("select count(distinct runner_id) from tbx.attempts where outcome = 'computed'")
    assert runners == [(5,)]
    five.check_effects(*(f"shared{i}" for i in range(60)), "sharedjoin")
    five.check_ledger()


def test_cancel_races_with_completion(five: Fleet) -> None:
    """Small jobs canceled around their end, until both have won: each is completed or canceled, and nothing runs."""
    dice = random.Random(5)
    ended: list[Job] = []
    window = 0.04
    while len(ended) < 30 or (len({job.state for job in ended}) < 2 and len(ended) < 200):
        job = five.client.jobs().submit("small", Fan(2, 0.0, f"race{len(ended)}-"))
        time.sleep(dice.random() * window)  # the race itself
        five.client.jobs().cancel(job)
        ended.append(job.wait(30))
        window *= 0.8 if ended[-1].state == "COMPLETED" else 1.25  # stays near the moment at which the job ends

    assert {job.state for job in ended} == {"COMPLETED", "CANCELED"}
    for job in ended:
        states = {task.state for task in five.tasks(job)}
        assert states == {"COMPUTED"} if job.state == "COMPLETED" else states <= {"COMPUTED", "QUEUED"}
    completed = [i for i, job in enumerate(ended) if job.state == "COMPLETED"]
    five.check_effects(*(f"race{i}-{name}" for i in completed for name in ("0", "1", "join")))
    five.check_ledger()


def test_nothing_starts_after_a_cancel(five: Fleet) -> None:
    """Five runners in the middle of 600 short tasks: the last start is at most 200 ms after cancel has returned."""
    job = five.client.jobs().submit("stamps", Stamps(600, 0.02))
    until(lambda: five.count("stamp") >= 20)

    five.client.jobs().cancel(job)
    canceled = time.time()
    ended = job.wait(30)

    stamps = [float(line.split()[1]) for line in five.effects() if line.startswith("stamp")]
    assert ended.state == "CANCELED"
    assert 20 <= len(stamps) < 600
    assert max(stamps) - canceled < CANCEL_TAKES + MACHINE_SLACK
    five.check_ledger()


def test_a_failed_job_is_retried_while_a_zombie_runs(fleet: Fleet, client: Client, tmp_path: Path) -> None:
    """A stopped child holds a task of a failed job past its lease; the retried job is done by another, once."""
    fleet.start()
    flag = tmp_path / "flag"
    job = client.jobs().submit("one fails", OneFails(1.0, str(flag)))
    zombie = int(fleet.until_left("start slow").split()[2])
    os.kill(zombie, signal.SIGSTOP)
    until(lambda: client.jobs().find(job).state == "FAILED")

    flag.touch()
    assert client.jobs().retry(job) == 1
    ended = job.wait(60)
    os.kill(zombie, signal.SIGCONT)
    until(lambda: fleet.count("end slow") == 2)

    assert ended.state == "COMPLETED"
    assert client.jobs().submit("after", Fan(4)).wait(30).state == "COMPLETED"
    outcomes = {t.identifier.name: [a.outcome for a in t.attempts] for t in fleet.tasks(job)}
    assert outcomes["Step"] == ["lost", "computed"]
    assert outcomes["UntilThere"] == ["failed", "computed"]
    fleet.check_effects(*map(str, range(4)), "join")
    fleet.check_effects("slow", once=False)
    assert fleet.count("end until-there") == 1
    fleet.check_ledger()


def test_one_job_in_two_clusters(fleet: Fleet, client: Client) -> None:
    """A subtask for another cluster runs there alone, and what depends on it runs here."""
    client.clusters().create("Far away", slug="far-away")
    fleet.start("--concurrency", "1")
    fleet.start("--concurrency", "1", "--cluster", "far-away")

    job = client.jobs().submit("elsewhere", Elsewhere("far-away")).wait(30)

    assert job.state == "COMPLETED"
    clusters = fleet.query(
        "select c.slug = 'far-away', count(*) from tbx.attempts a join tbx.runners r on r.id = a.runner_id"
        " join tbx.clusters c on c.id = r.cluster_id group by 1 order by 1"
    )
    assert clusters == [(False, 2), (True, 1)]
    fleet.check_effects("there", "here")
    fleet.check_ledger()


def test_two_runners_with_disjoint_tasks(fleet: Fleet, client: Client) -> None:
    """One runner has the parents, the other the steps: each takes only its own, and the job is done."""
    parents = fleet.start("--concurrency", "1", "--only", "Fan,Row")
    children = fleet.start("--concurrency", "1", "--only", "Step")

    jobs = [client.jobs().submit("fan", Fan(10, 0.02, "fan")), client.jobs().submit("row", Row(5))]

    assert [job.wait(30).state for job in jobs] == ["COMPLETED"] * 2
    who = fleet.query("select r.pid, count(*) from tbx.attempts a join tbx.runners r on r.id = a.runner_id group by 1")
    assert dict(who) == {parents.pid: 2, children.pid: 16}
    fleet.check_effects(*(f"fan{i}" for i in range(10)), "fanjoin", *map(str, range(5)))
    fleet.check_ledger()
